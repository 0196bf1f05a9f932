r"""Math: where it begins and ends, and whether it may be typeset.

``$…$``, ``$`…`$`` and ``$$…$$`` as GitHub reads them, ``\(…\)`` and ``\[…\]`` as models write them. Prices are no
math: "$5 and $10" has no dollar that could end any.
"""

from __future__ import annotations

import re

# Math even where no dollar or bracket says so.
ENVIRONMENTS = "equation|align|alignat|gather|multline|eqnarray|aligned|cases|matrix|bmatrix|pmatrix"

_MACRO = re.compile(r"\\([A-Za-z]+)")
# What prose between brackets does not hold.
_TEX = re.compile(r"\\[A-Za-z]|[=^]|\b[A-Za-z]_[\w{]")
_ENDS = {
    "$": re.compile(r"(?<!\\)\$"),
    "$$": re.compile(r"(?<!\\)\$\$"),
    "\\(": re.compile(r"\\\)"),
    "\\[": re.compile(r"\\\]"),
}
# Around one dollar: no space within. "$5 and $10" is none.
_BEGINS = re.compile(r"(?<!\$)\$(?![\s$`])")
_ENDED = re.compile(r"(?<!\s)\$(?!\$)")
# With a letter or digit beside it, what is within must be TeX: "$n$th" and "10$\times$", not "$5-$10" or "$HOME/$USER".
_WORD = re.compile("[A-Za-z0-9]")
_LETTER = re.compile(r"[A-Za-z]'*")
_OF_TEX = re.compile(r"\\[A-Za-z%]|(?:^|[\d)}\]]|(?<![A-Za-z])[A-Za-z]'*)[_^][\w{\\+*-]")
_OF_PROSE = re.compile(r"[`\n]|(?:^|\s)[A-Za-z]{2,}\s|[-/=,;:.(<>&|\u2013\u2014]$")
_IN_BACKTICKS = re.compile(r"\$`([^`]+)`\$")
_DEEPEST = 30  # levels of braces, brackets and environments; a person writes five
_NESTS = re.compile(r"(?<!\\)[{}]|\\left(?![A-Za-z])|\\right(?![A-Za-z])|\\begin(?![A-Za-z])|\\end(?![A-Za-z])")
_UNNESTS = {"}", "\\right", "\\end"}
# Macros and marks that take what follows as their argument need no braces to nest: \\sqrt\\sqrt\\sqrt…
_CHAIN = re.compile(r"(?:(?:\\[A-Za-z]+|[\^_'])\s*(?:[A-Za-z0-9]\s*)?){100}")
_NAMES = """
above abovewithdelims Aboxed acute adjustlimits aleph alpha amalg And angle approx approxeq arccos arcsin arctan arg
argmax argmin array ArrowBetweenLines Arrowvert arrowvert ast asymp atop atopwithdelims backepsilon backprime
backsim backsimeq backslash bar barwedge Bbb Bbbk bbFont bcancel because begin beta beth between bf Big big bigcap
bigcirc bigcup Bigg bigg Biggl biggl Biggm biggm Biggr biggr Bigl bigl Bigm bigm bigodot bigoplus bigotimes Bigr
bigr bigsqcup bigstar bigtimes bigtriangledown bigtriangleup biguplus bigvee bigwedge binom blacklozenge blacksquare
blacktriangle blacktriangledown blacktriangleleft blacktriangleright bmod boldsymbol bot bowtie Box boxdot boxed
boxminus boxplus boxtimes Bra bra brace bracevert brack Braket braket breve buildrel bullet Bumpeq bumpeq cal cancel
cancelto Cap cap cases cdot cdotp cdots ce celsius centercolon centerdot centernot centerOver cfrac check checkmark
chi choose circ circeq circlearrowleft circlearrowright circledast circledcirc circleddash circledR circledS clap
clubsuit colon Colonapprox colonapprox Coloneq coloneq Coloneqq coloneqq Colonsim colonsim color colorbox complement
cong coprod cos cosh cot coth cr cramped crampedclap crampedllap crampedrlap crampedsubstack csc Cup cup curlyeqprec
curlyeqsucc curlyvee curlywedge curvearrowleft curvearrowright dagger daleth dashleftarrow dashrightarrow dashv
dbinom dblcolon ddagger ddddot dddot ddot ddots deg degree Delta delta det dfrac diagdown diagup Diamond diamond
diamondsuit digamma dim displaylines displaystyle div divideontimes divsymbol dot Doteq doteq doteqdot dotplus dots
dotsb dotsc dotsi dotsm dotso doublebarwedge doublecap doublecup Downarrow downarrow downdownarrows downharpoonleft
downharpoonright ell emptyset end enspace epsilon eqalign eqalignno eqcirc Eqcolon eqcolon Eqqcolon eqqcolon eqsim
eqslantgtr eqslantless equiv eta eth exists exp fallingdotseq fbox fcolorbox Finv flat forall frac frak framebox
frown Game Gamma gamma gcd ge genfrac geq geqq geqslant gets gg ggg gggtr gimel gnapprox gneq gneqq gnsim grave gt
gtrapprox gtrdot gtreqless gtreqqless gtrless gtrsim gvertneqq hat hbar hbox hdashline heartsuit hfil hfill hfilll
hline hom hookleftarrow hookrightarrow hphantom hskip hslash hspace Huge huge idotsint iff iiiint iiint iint Im
imath impliedby implies in inf infty injlim int intercal intop iota it jmath Join kappa ker kern Ket ket Ketbra
ketbra label Lambda lambda land langle LARGE Large large LaTeX lbrace lbrack lceil ldotp ldots le leadsto left
Leftarrow leftarrow leftarrowtail leftharpoondown leftharpoonup leftleftarrows Leftrightarrow leftrightarrow
leftrightarrows leftrightharpoons leftrightsquigarrow leftroot leftthreetimes leq leqalignno leqq leqslant
lessapprox lessdot lesseqgtr lesseqqgtr lessgtr lesssim lfloor lg lgroup lhd lim liminf limits limsup ll llap
llcorner Lleftarrow lll llless lmoustache ln lnapprox lneq lneqq lnot lnsim log Longleftarrow longleftarrow
Longleftrightarrow longleftrightarrow longleftrightarrows longLeftrightharpoons longmapsto Longrightarrow
longrightarrow longRightleftharpoons longrightleftharpoons looparrowleft looparrowright lor lower lozenge lparen
lrcorner Lsh lt ltimes lVert lvert lvertneqq maltese mapsto mathbb mathbf mathbfcal mathbffrak mathbfit mathbfscr
mathbfsf mathbfsfit mathbfsfup mathbfup mathbin mathcal mathchoice mathclap mathclose mathfrak mathinner mathit
mathllap mathmakebox mathmbox mathnormal mathop mathopen mathord mathpunct mathrel mathring mathrlap mathrm mathscr
mathsf mathsfit mathsfup mathstrut mathtt mathup matrix max mbox measuredangle mho micro mid middle min mit mkern
mod models MoveEqLeft moveleft moveright mp mskip mspace MTFlushSpaceAbove MTFlushSpaceBelow MTThinColon mu multimap
nabla natural ncong ndownarrow ne nearrow neg negmedspace negthickspace negthinspace neq newline nexists ngeq ngeqq
ngeqslant ngtr ni nLeftarrow nleftarrow nLeftrightarrow nleftrightarrow nleq nleqq nleqslant nless nmid nobreakspace
nolimits nonscript nonumber normalsize not notag notChar notin nparallel nprec npreceq nRightarrow nrightarrow
nshortmid nshortparallel nsim nsubseteq nsubseteqq nsucc nsucceq nsupseteq nsupseteqq ntriangleleft ntrianglelefteq
ntriangleright ntrianglerighteq nu nuparrow nVDash nVdash nvDash nvdash nwarrow odot ohm oint oldstyle Omega omega
omicron ominus operatorname oplus ordinarycolon oslash otimes over overbrace overbracket overleftarrow
overleftrightarrow overline overparen overrightarrow overset overunderset overwithdelims owns parallel partial perp
perthousand phantom Phi phi Pi pi pitchfork pm pmatrix pmb pmod pod Pr prec precapprox preccurlyeq preceq
precnapprox precneqq precnsim precsim prescript prime prod projlim propto Psi psi pu qquad quad raise rangle rbrace
rbrack rceil Re restriction rfloor rgroup rhd rho right Rightarrow rightarrow rightarrowtail rightharpoondown
rightharpoonup rightleftarrows rightleftharpoons rightrightarrows rightsquigarrow rightthreetimes risingdotseq rlap
rm rmoustache root rparen Rrightarrow Rsh rtimes Rule rule rVert rvert S scr scriptscriptstyle scriptsize
scriptstyle searrow sec Set set setminus sf sharp shortmid shortparallel shortvdotswithin shoveleft shoveright
sideset Sigma sigma sim simeq sin sinh skew small smallfrown smallint smallsetminus smallsmile smash smile Space
space spadesuit sphericalangle splitdfrac splitfrac sqcap sqcup sqrt sqsubset sqsubseteq sqsupset sqsupseteq square
stackbin stackrel star strut Subset subset subseteq subseteqq subsetneq subsetneqq substack succ succapprox
succcurlyeq succeq succnapprox succneqq succnsim succsim sum sup Supset supset supseteq supseteqq supsetneq
supsetneqq surd swarrow symbb symbf symbfcal symbffrak symbfit symbfscr symbfsf symbfsfit symbfsfup symbfup symcal
symfrak symit symnormal symrm symscr symsf symsfit symsfup symtt symup tag tan tanh tau tbinom TeX text textacutedbl
textasciiacute textasciibreve textasciicaron textasciicircum textasciidieresis textasciimacron textasciitilde
textasteriskcentered textbackslash textbaht textbar textbardbl textbf textbigcircle textblank textborn textbraceleft
textbraceright textbrokenbar textbullet textcelsius textcent textcentoldstyle textcircledP textclap
textcolonmonetary textcolor textcompwordmark textcopyleft textcopyright textcurrency textdagger textdaggerdbl
textdegree textdied textdiscount textdiv textdivorced textdollar textdollaroldstyle textdong textdownarrow
texteightoldstyle textellipsis textemdash textendash textestimated texteuro textexclamdown textfiveoldstyle
textflorin textfouroldstyle textfractionsolidus textgravedbl textgreater textguarani textinterrobang
textinterrobangdown textit textlangle textlbrackdbl textleftarrow textless textlira textllap textlnot textlquill
textmarried textmho textminus textmu textmusicalnote textnaira textnineoldstyle textnormal textnumero textohm
textonehalf textoneoldstyle textonequarter textonesuperior textopenbullet textordfeminine textordmasculine
textparagraph textperiodcentered textpertenthousand textperthousand textpeso textpm textquestiondown
textquotedblleft textquotedblright textquoteleft textquoteright textrangle textrbrackdbl textrecipe
textreferencemark textregistered textrightarrow textrlap textrm textrquill textsection textservicemark
textsevenoldstyle textsf textsixoldstyle textsterling textstyle textsurd textthreeoldstyle textthreequarters
textthreesuperior texttildelow texttimes texttrademark texttt texttwooldstyle texttwosuperior textunderscore textup
textuparrow textvisiblespace textwon textyen textzerooldstyle tfrac therefore Theta theta thickapprox thicksim
thinspace tilde times Tiny tiny to top triangle triangledown triangleleft trianglelefteq triangleq triangleright
trianglerighteq tripledash tt twoheadleftarrow twoheadrightarrow ulcorner underbrace underbracket underleftarrow
underleftrightarrow underline underparen underrightarrow underset unlhd unrhd upalpha Uparrow uparrow upbeta upchi
Updelta updelta Updownarrow updownarrow upepsilon upeta Upgamma upgamma upharpoonleft upharpoonright upiota upkappa
Uplambda uplambda uplus upmu upnu Upomega upomega upomicron Upphi upphi Uppi uppi Uppsi uppsi uprho uproot Upsigma
upsigma Upsilon upsilon uptau Uptheta uptheta upuparrows Upupsilon upupsilon upvarepsilon upvarphi upvarpi upvarrho
upvarsigma upvartheta Upxi upxi upzeta urcorner varDelta varepsilon varGamma varinjlim varkappa varLambda varliminf
varlimsup varnothing varOmega varPhi varphi varPi varpi varprojlim varpropto varPsi varrho varSigma varsigma
varsubsetneq varsubsetneqq varsupsetneq varsupsetneqq varTheta vartheta vartriangle vartriangleleft vartriangleright
varUpsilon varXi vcenter Vdash vDash vdash vdots vdotswithin vec vee veebar Vert vert vphantom Vvdash wedge widehat
widetilde wp wr xcancel xhookleftarrow xhookrightarrow Xi xi xLeftarrow xleftarrow xleftharpoondown xleftharpoonup
xLeftrightarrow xleftrightarrow xLeftrightharpoons xleftrightharpoons xlongequal xmapsto xmathstrut xRightarrow
xrightarrow xrightharpoondown xrightharpoonup xRightleftharpoons xrightleftharpoons xtofrom xtwoheadleftarrow
xtwoheadrightarrow yen zeta
"""
_MACROS = frozenset(_NAMES.split())


def looks_like_tex(text: str) -> bool:
    r"""Return whether text between ``\[`` and ``\]`` is math, not words in escaped brackets."""
    return _TEX.search(text) is not None


def _is_surely_tex(text: str) -> bool:
    """Return whether text between dollars, amid a word, is math."""
    return bool(_LETTER.fullmatch(text) or (_OF_TEX.search(text) and not _OF_PROSE.search(text)))


def may_be_typeset(source: str) -> bool:
    """Return whether `source` holds only macros that are known to put nothing but math on the page, and not too deep.

    MathJax calls itself for each level; what is nested some hundred deep ends the browser's page.
    """
    return all(name in _MACROS for name in _MACRO.findall(source)) and not _is_deep(source)


def _is_deep(source: str) -> bool:
    depth = 0
    for mark in _NESTS.findall(source):
        depth += -1 if mark in _UNNESTS else 1
        if depth > _DEEPEST:
            return True
    return _CHAIN.search(source) is not None


class Math:
    """Finds the math in a text; where none ends, it looks once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._next: dict[str, tuple[int, re.Match[str] | None]] = {}

    def at(self, at: int) -> tuple[str, bool, int] | None:
        """Return the math that begins at `at`.

        Returns
        -------
        tuple or None
            The TeX, whether it is to be displayed on its own, and where it ends; None if none begins.
        """
        text = self._text
        if in_backticks := _IN_BACKTICKS.match(text, at):
            return in_backticks[1], False, in_backticks.end()
        opening = "$$" if text.startswith("$$", at) else "$" if text[at] == "$" else text[at : at + 2]
        start = at + len(opening)
        if opening == "$" and not _BEGINS.match(text, at):
            return None
        found = self._end(opening, start)
        if found is None or found.start() == start or (opening == "$" and not _ENDED.match(text, found.start())):
            return None
        tex = text[start : found.start()]
        if not tex.strip() or (opening == "\\[" and not looks_like_tex(tex)):
            return None
        beside = text[at - 1 : at] + text[found.end() : found.end() + 1]
        if opening == "$" and _WORD.search(beside) and not _is_surely_tex(tex):
            return None
        return tex, opening in {"$$", "\\["}, found.end()

    def _end(self, opening: str, start: int) -> re.Match[str] | None:
        searched, found = self._next.get(opening, (len(self._text) + 1, None))
        if searched <= start and (found is None or found.start() >= start):
            return found
        found = _ENDS[opening].search(self._text, start)
        self._next[opening] = (start, found)
        return found
