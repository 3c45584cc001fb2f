"""A stand-in for the company's own order system: 云杉商城, the sample shop that the dialog flows call over HTTP."""
