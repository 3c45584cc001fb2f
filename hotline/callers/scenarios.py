"""The three callers of the demo. Their voices are ones that the bundled recogniser has never trained on."""

from __future__ import annotations

from hotline.callers.script import Beat, Line, Persona

ORDER = Persona(
    name="order",
    title="问订单在哪里，报单号时停顿并更正一位，再问退款",
    number="13900000001",
    voice="zm_yunxia",
    order_number="202611030926",
    beats=(
        Beat(".", Line(("你好，我想查一下我的订单到哪里了",))),
        Beat("订单号", Line(("二零二六幺幺零三", "零九二五"), pause_s=0.8, speed=0.87)),
        Beat("对吗|对不对|是吗", Line(("不对，最后一位是六",), speed=0.87)),
        Beat("对吗|对不对|是吗", Line(("对",), speed=0.87)),
        Beat("签收|派送|运输|发货|退款|付款", Line(("退款什么时候到账",))),
        Beat("退款|到账|还有", Line(("解决了，谢谢",), speed=0.87)),
    ),
)

ANGRY = Persona(
    name="angry",
    title="越说越生气，转给人工",
    number="13900000012",
    voice="zm_yunxia",
    beats=(
        Beat(".", Line(("我的快递怎么还没到",))),
        Beat(".", Line(("我都等了一个星期了，你们到底管不管",), speed=1.15, gain_db=8)),
        Beat(".", Line(("什么破服务，气死我了，我要投诉你们",), speed=1.25, gain_db=10)),
        Beat(".", Line(("太差劲了，骗子，我要投诉",), speed=1.25, gain_db=10)),
    ),
    expects_human=True,
)

FAQ = Persona(
    name="faq",
    title="问两个常见问题，打断长回答，随声附和不打断，按一结束",
    number="13900000045",
    voice="zf_xiaoni",
    beats=(
        Beat(".", Line(("请问怎么申请退货",), speed=0.87)),
        Beat(".", Line(("等一下，会员有什么好处",), over_s=1.6)),
        Beat(".", Line(("嗯",), over_s=1.2, backchannel=True)),
        Beat(".", Line(keys="1")),
    ),
)

DEMO = (ORDER, ANGRY, FAQ)
