"""Every way to refuse a request: status, code and sentence. Turning one into a response is left to handler.py."""


class Refusal(Exception):
    """A request that was not carried out; the cause is for the log only."""

    def __init__(self, status, code, sentence, *, details=None, headers=None, cause=None):
        super().__init__(sentence)
        self.status, self.code, self.sentence, self.cause = status, code, sentence, cause
        self.details, self.headers = details, headers or {}

    def body(self):
        body = {"error": self.sentence, "message": self.code}
        if self.details:
            body["details"] = self.details
        return body

    @classmethod
    def internal(cls, cause):
        return cls(500, "INTERNAL_ERROR", "something went wrong on our side", cause=cause)

    @classmethod
    def temporarily_unavailable(cls, cause):
        sentence = "the request was not carried out, please try again"
        return cls(503, "TEMPORARILY_UNAVAILABLE", sentence, headers={"Retry-After": "1"}, cause=cause)

    @classmethod
    def outcome_unknown(cls, cause):
        sentence = "the flow may or may not have been written, please look before trying again"
        return cls(503, "OUTCOME_UNKNOWN", sentence, headers={"Retry-After": "1"}, cause=cause)


# The sentences that the API page fixes.
FIXED = {"INVALID_PROJECT_ID": "Invalid project ID", "INVALID_FLOW_TYPE": "Invalid flow type"}
# A body can hold tens of thousands of problems.
PROBLEMS_LISTED = 1_000


def invalid(problems):
    """The refusal that problems of a body come to: `details` only where the first one does not say all."""
    first = problems[0]
    code = first["code"]
    needs_detail = len(problems) > 1 or first["path"].count("/") > 1 or code == "INVALID_JSON"
    details = problems[:PROBLEMS_LISTED] if needs_detail else None
    if len(problems) > PROBLEMS_LISTED:
        error = f"expected at most {PROBLEMS_LISTED} problems to list, found {len(problems)}"
        details.append({"path": "", "code": code, "error": error})
    return Refusal(400, code, FIXED.get(code, first["error"]), details=details)
