"""Rules of the specification that nobody can see from outside, or only by breaking a machine; each with the reason."""

from __future__ import annotations

from collections.abc import Mapping

INSIDE = "needs the server's store, log or process"
FAULTS = "needs a kill, a power cut or a lost network"
TIME = "needs hours, or a clock turned by hand"
SIGN_IN = "belongs to the sign-in, not to the protocol"
OPERATOR = "needs another configuration or provider"
LOAD = "needs a reader that does not read, or many"
CLIENTS = "is about clients"
BROWSER = "needs a browser"

UNSEEN: Mapping[str, str] = {
    **dict.fromkeys(("VEC4", "VEC13", "SES12", "VEC6", "S92", "S91"), FAULTS),
    **dict.fromkeys(("SES14", "AU8", "AU11", "S34", "S37"), TIME),
    **dict.fromkeys(("WS12", "S72", "S74", "S78", "S59"), LOAD),
    **dict.fromkeys(("AU4", "AU5", "AU6", "AU7", "S30", "S31", "S32", "S33"), SIGN_IN),
    **dict.fromkeys(("UN14", "AU18", "S27", "S35", "S98", "S21", "S22", "S23", "S26"), OPERATOR),
    **dict.fromkeys(("S47", "S58"), INSIDE),
    "S55": BROWSER,
    "S80": CLIENTS,
}
