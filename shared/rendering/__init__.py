"""Texts with their data filled in: Liquid and MJML, strict, bounded and pure. The theory of templates.

**Order.** MJML becomes HTML first, with the Liquid still in it, and once per text; then Liquid fills in the data, per
message. So what a contact is called never reaches the MJML compiler (which is native code, and recurses), no message
costs a compilation, and whatever is wrong with the MJML is wrong when the file is loaded. A command carries the MJML,
which is a sixth of its HTML.

**Strict.** What is missing or null is not printed: the send is skipped as ``template_error``. It may be asked for
(``if``) and replaced (``default``).

**Bounded.** Turns of loops, size of output and of variables, nesting, and the characters that go through filters in all
turns together: ten thousand turns of ``strip_html`` over a long text took ten minutes. So filters take some tenths of a
second at most, the same texts are refused on every machine, and no process has to be killed for one. What has no bound
but the turns is ``contains`` and ``==`` on long texts: 1.6 s in 9,000 turns over 190 KB.
"""

from __future__ import annotations

from shared.rendering.check import check_part
from shared.rendering.errors import Slip, TemplateError
from shared.rendering.render import Rendered, render
from shared.rendering.roots import ROOTS
from shared.rendering.variables import Use, uses_of

__all__ = ["ROOTS", "Rendered", "Slip", "TemplateError", "Use", "check_part", "render", "uses_of"]
