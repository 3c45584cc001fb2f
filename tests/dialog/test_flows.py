"""Every flow as whole conversations. The script's language is in tests/fakes/dialog_script.py."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dialog.api import Channel, Handoff
from tests.dialog.conftest import World
from tests.fakes.dialog_helpers import ON_THE_WAY, PAID, PHONE, REFUNDING, SIGNED
from tests.fakes.dialog_script import Caller

Call = Callable[..., Caller]


async def test_demo_a_order_dictated_with_a_pause_and_mended(call: Call, world: World) -> None:
    await call().play(
        """
        < 您好，这里是云杉商城
        > 你好我想查一下我的订单到哪里了
        < 订单号 … 十二位数字
        < expect digits order_number 12
        > 二零二六幺幺零三
        < 嗯，请继续。
        < expect digits order_number 4
        > 零九二五
        < 二零二六，幺幺零三，零九二五， … 对吗？
        < expect yes_no order_number
        > 不对，最后一位是六
        < 二零二六，幺幺零三，零九二六， … 对吗？
        > 对
        < 我帮您查一下。 … 扫地机器人 … 退款899元 … 后天到账 … 还有什么可以帮您？
        > 退款什么时候到账
        < no 订单号
        < 退款899元预计后天到账
        > 没有了，解决了，谢谢
        < 感谢您的来电
        < hangup solved
        """
    )
    assert world.business.done == [("order", REFUNDING), ("order", REFUNDING)]


async def test_demo_b_anger_that_lasts_brings_a_human(call: Call) -> None:
    answer = await call().play(
        """
        > 我的快递怎么还没到
        < 订单号
        !angry 0.65
        > 我都等了一个星期了，快递到底到哪了
        < 抱歉
        > 气死我了
        < 人工客服
        < handoff emotion
        """
    )
    assert isinstance(answer.last, Handoff)
    summary = answer.last.summary
    assert summary.emotion_trend == (0.1, 0.65, 0.65)
    assert "查询订单" in summary.summary and "很不满" in summary.summary and summary.last_said


async def test_demo_c_two_questions_and_a_key(call: Call, world: World) -> None:
    last = await call(breath=60).play(
        """
        > 退货的运费谁出
        < 是这样的。 … 都由我们承担
        < no https
        < 要我接着往下说吗？
        > 等一下，电器保修多久
        < 保修一年 … 还有什么可以帮您？
        [1]
        < 感谢您的来电
        < hangup solved
        """
    )
    assert last.end.report.action == "solved"


async def test_key_one_rates_even_while_reading_on_is_offered(call: Call) -> None:
    await call(breath=60).play("> 退货的运费谁出\n< 要我接着往下说吗\n[1]\n< hangup solved")
    await call(breath=60, session="s2").play(
        "> 退货的运费谁出\n< no 运费险\n> 好的\n< 运费险 … 官网\n< no http\n< goes on"
    )


async def test_order_status_by_phone_number_when_the_number_is_not_at_hand(call: Call, world: World) -> None:
    await call().play(
        """
        > 查一下我的快递
        > 我没有订单号
        < 来电号码 … 可以吗？
        < expect yes_no
        > 可以
        < 按手机号帮您查 … 无线耳机 … 运输中 … 是这一单吗？
        > 不是这个
        < 扫地机器人 … 是这一单吗？
        > 不是，还有一个
        < 羽绒被
        > 对就是这个
        < 羽绒被 … 11月20号 … 签收
        """
    )
    assert ("orders_of", PHONE) in world.business.done


async def test_a_phone_number_instead_of_an_order_number(call: Call) -> None:
    await call(number="").play(
        "> 查快递\n> 一三九零零零零零零零一\n< 无线耳机 … 是这一单吗？\n> 是的\n< 正在路上 … 明天"
    )


async def test_orders_of_an_unknown_phone_end_with_an_offer(call: Call) -> None:
    await call(number="").play(
        """
        > 查快递
        > 不知道
        < 手机号 … 十一位
        > 一三九一二三四五六七八
        < 一三九 … 对吗
        > 对
        < 没有查到订单 … 转人工
        > 不用了
        < 有别的问题可以接着问我
        < goes on
        """.replace("一三九 … 对吗", "幺三九，幺二三四，五六七八， … 对吗")
    )


async def test_order_not_found_twice_then_another_way(call: Call) -> None:
    await call(number="").play(
        """
        > 我的订单202699999999到哪了
        < 二零二六，九九九九 … 对吗
        > 对
        < 没有查到这个订单号 … 订单号
        > 二零二六八八八八八八八八
        > 对
        < 没有查到这个订单号
        < goes on
        """
    )


async def test_a_misheard_number_is_matched_with_the_callers_own_orders(call: Call) -> None:
    await call().play(
        """
        > 订单到哪了
        > 二零二六幺幺零八零四一九
        > 对
        < 没有查到 … 您名下有一笔无线耳机的订单 … 是这一单吗？
        > 是的
        < 无线耳机 … 正在路上
        """
    )


async def test_two_digits_alike_are_asked_for_by_place(call: Call) -> None:
    await call().play(
        """
        > 查订单
        > 二零二六幺幺零八零四幺六
        < 零四幺六
        > 不对，是七不是六
        < 不止一个6 … 第几位
        > 最后一个
        < 零四幺七， … 对吗
        > 对
        < 无线耳机
        """
    )


@pytest.mark.parametrize(
    ("correction", "right"),
    [
        ("不对，是二零二六幺幺零八零四幺七", True),
        ("不对，后四位是零四幺七", True),
        ("是七不是九", True),
        ("不对是零四幺七", True),
        ("第十二位是七", True),
        ("不是", False),
    ],
)
async def test_corrections(call: Call, correction: str, right: bool) -> None:
    caller = call()
    await caller.play("> 查订单\n> 二零二六幺幺零八零四幺九\n< 零四幺九")
    answer = await caller.say(correction)
    assert ("零四幺七" in answer.text) is right
    assert answer.end.expect.kind.value == ("yes_no" if right else "digits")


async def test_return_of_delivered_goods(call: Call, world: World) -> None:
    await call().play(
        f"""
        > 我要退货，订单号{SIGNED}
        < 二零二六，幺零二八
        > 是的
        < 什么原因
        > 不想要了
        < 羽绒被 … 退货退款 … 329元 … 现在提交吗？
        > 提交吧，可以
        < 正在为您办理 … 受理编号TH0001 … 11月30号
        """
    )
    assert ("open_return", SIGNED, "return", "不想要了") in world.business.done


async def test_refund_before_it_is_delivered_and_no_at_the_end(call: Call, world: World) -> None:
    await call().play(
        f"""
        > 帮我取消订单 {PAID}
        > 对
        > 拍错了
        < 退款 … 129.5元 … 现在提交吗
        > 算了不用了
        < 没有提交
        """
    )
    assert not any(what[0] == "open_return" for what in world.business.done)


async def test_return_that_is_already_under_way(call: Call) -> None:
    await call().play(f"> 我要退货，单号{REFUNDING}\n> 对\n< 已经有退款在处理 … 扫地机器人\n< goes on")


async def test_a_strangers_return_needs_the_tail_of_the_phone(call: Call) -> None:
    await call(number="13711112222").play(
        f"""
        > 我要退货，订单号{SIGNED}
        > 对
        < 手机号的后四位
        < expect digits phone_tail 4
        > 一二三四
        < 对不上
        > 零零零一
        < 什么原因
        """
    )
    await call(number="13711112222", session="s2").play(
        f"> 我要退货，订单号{SIGNED}\n> 对\n> 一二三四\n> 四三二一\n< 没能核实\n< handoff flow"
    )


async def test_exchange(call: Call, world: World) -> None:
    await call().play(
        f"> 我要换货 {SIGNED}\n> 对\n< 什么原因要换\n> 尺码小了\n< 换货 … 现在提交吗\n> 好的\n< 换货申请好了 … TH0001"
    )
    assert ("open_return", SIGNED, "exchange", "尺码或规格不合适") in world.business.done
    await call(session="s2").play(f"> 我要换货 {ON_THE_WAY}\n> 对\n< 还没有签收")


async def test_complaint(call: Call, world: World) -> None:
    await call().play(
        """
        > 我要投诉
        < 非常抱歉 … 什么情况
        > 快递员把包裹扔在楼下还骂人
        < 投诉已经登记 … TS0001
        """
    )
    assert world.business.done == [("complain", "", "快递员把包裹扔在楼下还骂人")]


async def test_address_change(call: Call, world: World) -> None:
    await call().play(
        f"""
        > 我想改一下收货地址，订单{PAID}
        > 对的
        < 新的收货地址
        < expect address address
        > 新地址是上海市浦东新区张杨路500号2幢301室
        < 上海市浦东新区张杨路500号2幢301室 … 对吗？
        > 对
        < 地址已经改好了
        """
    )
    assert ("change_address", PAID, "上海市浦东新区张杨路500号2幢301室") in world.business.done
    await call(session="s2").play(f"> 帮我改一下地址 {ON_THE_WAY}\n> 对\n< 地址改不了了")


async def test_invoice(call: Call, world: World) -> None:
    await call().play(
        f"""
        > 帮我开发票，订单号{SIGNED}
        > 对
        < 抬头
        > 杭州青山科技有限公司
        < 税号
        > 九幺三三零幺零零MA二A零零零零零X
        < 邮箱
        > 一二三四五艾特QQ点com
        < 12345@qq.com … 对吗
        > 对
        < 发票申请好了 … FP0001
        """
    )
    assert ("invoice", SIGNED, "杭州青山科技有限公司", "91330100MA2A00000X", "12345@qq.com") in world.business.done
    await call(session="s2").play(f"> 帮我开发票，订单号{SIGNED}\n> 对\n> 个人\n< 邮箱")


async def test_password_reset(call: Call, world: World) -> None:
    await call().play("> 密码忘了登不上去\n< 您现在这个号码的账户\n> 是的\n< 短信已经发到")
    await call(number="", session="s2").play(
        "> 我要重置密码\n< 十一位\n> 一三九零零零零零\n< 请继续\n> 零零一\n< 幺三九，零零零零，零零零幺\n> 对\n< 短信"
    )
    assert world.business.done == [("reset_password", PHONE), ("reset_password", "13900000001")]


async def test_human_at_once(call: Call) -> None:
    await call().play("> 转人工\n< 转接人工客服\n< handoff requested\n> 喂\n< 请再稍等\n< goes on")
    await call(session="s2").play("[0]\n< handoff requested")
    await call(session="s3").play("> 我不要人工，我跟你说就行\n< goes on")


async def test_opening_hours_small_talk_and_thanks(call: Call) -> None:
    await call().play(
        """
        > 你们几点上班
        < 早上九点到晚上九点
        > 今天天气怎么样
        < 您请说
        > 谢谢
        < 不客气 … 问题解决了吗 … 按1
        < expect yes_no solved
        > 解决了
        < hangup solved
        """
    )


async def test_not_solved_offers_a_human(call: Call) -> None:
    await call().play(
        "> 电器保修多久\n> 没有了\n< 问题解决了吗\n[2]\n< 很抱歉 … 转人工客服吗\n> 好的\n< handoff requested"
    )
    await call(session="s2").play("> 电器保修多久\n> 没有了\n> 没有解决\n> 不用了\n< 再见\n< hangup unsolved")


async def test_a_question_in_the_middle_is_answered_and_the_flow_goes_on(call: Call) -> None:
    await call().play(
        """
        > 查一下订单
        < expect digits order_number 12
        > 对了，满多少包邮
        < 59元包邮 … 订单号
        < expect digits order_number 12
        > 二零二六幺幺零八零四幺七
        > 对
        < 无线耳机
        """
    )


async def test_another_topic_in_the_middle_and_back(call: Call) -> None:
    await call().play(
        f"""
        > 我要投诉
        < 什么情况
        > 算了，先帮我查下订单{ON_THE_WAY}到哪了
        < goes on
        """
    )
    await call(session="s2").play(
        """
        > 我要重置密码
        < 号码的账户
        > 先帮我看下我的快递到哪了
        < 订单号
        > 二零二六幺幺零八零四幺七
        > 对
        < 正在路上 … 我们接着刚才的重置密码。 … 号码的账户
        > 是
        < 短信
        """
    )


async def test_another_order_is_asked_for_anew(call: Call) -> None:
    await call().play(
        f"""
        > 订单{ON_THE_WAY}到哪了
        > 对
        < 无线耳机
        > 那另外一个订单到哪了
        < 订单号
        > {PAID}
        > 对
        < 电热水壶 … 备货
        """
    )


async def test_repeat_wait_and_leave(call: Call) -> None:
    await call().play(
        """
        > 查订单
        > 等一下我找找
        < 慢慢来
        < expect digits order_number 12
        (silence)
        < 还在
        (silence)
        (silence)
        < goes on
        > 二零二六幺幺零八零四幺七
        > 没听清再说一遍
        < 我再说一遍。 … 二零二六，幺幺零八，零四幺七， … 对吗
        < expect yes_no order_number
        > 算了不查了
        < 先不办了 … 还有什么可以帮您
        > 再见
        < hangup goodbye
        """
    )


async def test_silence_noise_and_nonsense_each_end(call: Call) -> None:
    await call().play("(silence)\n< 还在吗\n(silence)\n< goes on\n(silence)\n< hangup no_input")
    await call(session="s2").play("(noise)\n< 没有听清\n(noise)\n(noise)\n< hangup noise")
    await call(session="s3").play("> 呱呱呱呱\n< 没太明白\n> 咕咕叽叽\n< handoff repeated_failure")
    await call(session="s4").play("> 电器保修多久\n(silence)\n< 问题解决了吗\n(silence)\n(silence)\n< hangup no_input")


async def test_half_a_number_and_then_silence(call: Call) -> None:
    await call().play("> 查订单\n> 二零二六幺幺\n(silence)\n< 二零二六，幺幺， … 还差6位".replace("幺幺， …", "幺幺 …"))


async def test_text_channel_has_buttons_and_other_words(call: Call) -> None:
    caller = call(channel=Channel.WEB, number="user-7")
    answer = await caller.open()
    assert [c.value for c in answer.end.choices] == ["flow:order_status", "flow:refund_status", "human"]
    answer = await caller.play(
        f"""
        {{flow:order_status}}
        < 12位
        > {ON_THE_WAY}
        < 正在路上
        < no 对吗
        > 没有了
        < 问题解决了吗
        < no 按1
        """
    )
    assert [(c.label, c.value) for c in answer.end.choices] == [("解决了", "solved"), ("没解决", "unsolved")]
    await caller.play("{solved}\n< 感谢您的咨询\n< hangup solved")


async def test_a_goodbye_that_is_talked_over(call: Call) -> None:
    await call().play(
        "> 满多少包邮\n> 再见\n< hangup goodbye\n> 好的谢谢\n< hangup goodbye\n> 对了，电器保修多久\n< 一年\n< goes on"
    )


async def test_free_text_is_not_swallowed_when_it_is_another_request(call: Call, world: World) -> None:
    await call().play("> 我要投诉\n> 还能开发票吗\n< 订单号\n< flow which_order")
    assert not world.business.done


async def test_answers_name_their_sources(call: Call) -> None:
    answer = await call().play("> 满多少包邮")
    assert [(s.id, s.title) for s in answer.end.sources] == [("faq-包邮", "包邮")]
    assert answer.end.report.action == "answer"
