import json

from steel_defect_detection.web.refusals import RefusedError, overloaded


def test_a_refusal_is_sent_as_json_with_its_headers():
    response = RefusedError(401, "wrong_token", "who are you?", {"WWW-Authenticate": "Bearer"})
    sent = response.response()
    assert sent.status_code == 401
    assert sent.headers["www-authenticate"] == "Bearer"
    assert json.loads(sent.body) == {"error": {"code": "wrong_token", "message": "who are you?"}}


def test_who_is_turned_away_is_told_when_to_come_back():
    refused = overloaded("9 images are waiting", 7)
    assert (refused.status, refused.headers) == (503, {"Retry-After": "7"})
    assert str(refused) == "9 images are waiting. Try again in 7 seconds"
