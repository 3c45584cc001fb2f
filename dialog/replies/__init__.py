"""What the bot says: the YAML file of this folder holds the wordings, dialog.replies.book renders them."""
