"""The pages that Stripe hosts: one that pays a checkout session, and the portal, where a subscription is cancelled."""

from html import escape

from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from localcloud.stripe.engine import Engine
from localcloud.stripe.errors import ApiError
from localcloud.stripe.objects import Object

OFFERED = {
    "4242424242424242": "Pay by card",
    "4000000000000002": "Pay by a card that is declined",
    "4000000000000341": "Pay by a card that fails at the next renewal",
    "4000002760003184": "Pay by a card that wants you there each time",
    "4000000000000259": "Pay by card, and dispute it",
    "000123456789": "Pay by bank debit",
    "000111111116": "Pay by a bank debit that fails",
}


def answer(engine: Engine, request: Request) -> Response:
    """Show a page, or do what its button says."""
    page = _checkout if request.path.startswith("/c/pay/") else _portal
    try:
        with engine.lock:
            return page(engine, request, request.path.rpartition("/")[2])
    except ApiError as error:
        return _page("Stripe stand-in", f"<p role=alert>{escape(error.message)}</p>", error.status)


def _checkout(engine: Engine, request: Request, session_id: str) -> Response:
    session, refusal = engine.objects.get(session_id, "checkout.session"), ""
    if request.method == "POST":
        try:
            engine.pay(session_id, request.form.get("number", ""))
        except ApiError as error:
            refusal = f"<p role=alert>{escape(error.message)}</p>"
        else:
            return redirect(session["success_url"].replace("{CHECKOUT_SESSION_ID}", session_id), 303)
    if session["status"] != "open":
        return _page("Checkout", f"<p>This session is {session['status']}.</p>", 410)
    amount = f"{session['amount_total'] / 100:.2f} {session['currency'].upper()}"
    back = session["cancel_url"]
    cancel = f'<p><a href="{escape(back)}">Back</a></p>' if back else ""
    buttons = "".join(_button(text, number=number) for number, text in OFFERED.items())
    return _page(f"Pay {amount}", f"{refusal}{buttons}{cancel}")


def _portal(engine: Engine, request: Request, session_id: str) -> Response:
    session = engine.objects.get(session_id, "billing_portal.session")
    mine = engine.objects.all("subscription", customer=session["customer"])
    if request.method == "POST":
        chosen = next((each["id"] for each in mine if each["id"] == request.form.get("subscription")), None)
        if chosen is None:
            raise ApiError(404, "This customer has no such subscription.")
        engine.billing.change(chosen, {"cancel_at_period_end": request.form.get("cancel", "")})
        return redirect(request.path, 303)
    back = session["return_url"]
    listed = "".join(_subscription(each) for each in mine) or "<p>There is no subscription.</p>"
    return _page("Your plans", listed + (f'<p><a href="{escape(back)}">Back</a></p>' if back else ""))


def _subscription(each: Object) -> str:
    ends = each["cancel_at_period_end"]
    button = _button("Keep" if ends else "Cancel", subscription=each["id"], cancel="false" if ends else "true")
    return f"<p>{each['id']}: {each['status']}{', cancelled' if ends else ''}</p>" + (
        button if each["status"] != "canceled" else ""
    )


def _button(text: str, **fields: str) -> str:
    hidden = "".join(f'<input type=hidden name="{name}" value="{escape(each)}">' for name, each in fields.items())
    return f"<form method=post>{hidden}<button>{escape(text)}</button></form>"


def _page(title: str, body: str, status: int = 200) -> Response:
    head = f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(title)}</title>"
    style = "<style>body{font:16px sans-serif;max-width:28rem;margin:4rem auto}button{width:100%;padding:.7rem}</style>"
    return Response(f"{head}{style}<h1>{escape(title)}</h1>{body}</html>", status, content_type="text/html")
