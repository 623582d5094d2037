"""Which sentences say something for later. Patterns of English and French, searched in a sentence without its case and
with plain apostrophes; found on sentences that we wrote, and tried on recorded conversations of agents."""

import re
from collections.abc import Mapping
from typing import Literal

Kind = Literal["asked", "rule", "preference", "decision", "fact"]

_BEFORE = (
    r"^(?:(?:please|also|and|but|so|ok|okay|oh|btw|by the way|hey|well|yes|no|thanks|actually|personally|aussi|et|donc"
    r"|oui|non|merci|alors)[,:]?\s+){0,3}"
)
# What is said in the main clause: a statement that a test, a text or a condition is about is nobody's.
_CLAUSE = _BEFORE + r"(?:(?:for|in|on|as|with|when|pour|dans|en|avec)\b[^,.;:]{1,60},\s+)?"
_OF_OTHERS = r"(?!.{0,200}\b(?:that|which|who|says?|said|asserts?|claims?|if|whether|qui|que|si)\b.{0,200}\b"
# Not only the trigger itself, nor what somebody is reminded of.
_FROM_NOW = "(?:from now on|going forward|from here on|désormais|dorénavant|à partir de maintenant)"
_SOMETHING = (
    r"(?! (?:when|how|why|(?:that|the) (?:time|day|week|night|bug|issue|error|one|thing|guy|meeting|days)|ce jour)\b)"
    r"(?!\W{1,3}remember\b)(?:\s+(?:that|to|que|de)\b)?+(?:\W+\w+){2}"
)
_DO = (
    "(?:use|run|commit|push|write|name|call|put|keep|test|deploy|import|log|return|add|squash|rebase|merge|format|pin"
    "|store|ship|review|tag|ask|answer|reply|make|edit|touch|change|delete|install|prefer|include|avoid|show|create"
    r"|check|start)\b"
)
_PLACE = (
    "server|database|db|cluster|branch|port|url|host|environment|api|queue|bucket|registry|repo|repository|domain"
    "|endpoint|replica|schema|machine|cache|broker"
)
_OURS = (
    "name|team|company|e-?mail|editor|shell|os|time ?zone|ci|pipeline|package manager|formatter|linter|test runner"
    f"|style guide|stack|backend|frontend|app|service|project|codebase|convention|coding style|{_PLACE}"
)
_IS = r"\b(?: \S+){0,5}? (?:is|are|uses?|runs?|lives?|listens?|has|have)\b"
_EST = r"\b(?: \S+){0,5}? (?:est|sont|utilise|tourne|écoute|s'appelle)\b"
_LASTS = (  # what is said of a moment is nothing for later
    r"(?!.{0,80}\b(?:failing|fails|broken|down|wrong|red|slow|flaky|stuck|crash\w*|not working|missing|en panne)\b)"
)

_PATTERNS: Mapping[Kind, tuple[str, ...]] = {
    "asked": (
        _BEFORE
        + r"(?:remember|keep in mind|bear in mind|don'?t forget|do not forget|never forget|make a note)\b"
        + _SOMETHING,
        _BEFORE + r"note(?= that\b)" + _SOMETHING,
        r"\bfor (?:future|later) reference\b",
        r"^(?:just )?fyi\b" + _SOMETHING,
        r"^for your information\b" + _SOMETHING,
        _BEFORE + r"(?:souviens[- ]toi|rappelle[- ]toi|n'oublie (?:pas|jamais)|retiens|garde en tête"
        r"|garde à l'esprit|à noter|notez?(?= que\b))\b" + _SOMETHING,
    ),
    "rule": (
        rf"^{_OF_OTHERS}{_FROM_NOW}).{{0,400}}\b{_FROM_NOW}\b",
        r"^in (?:the )?future\b",
        _BEFORE + rf"(?:always|never) (?:ever )?{_DO}",
        _CLAUSE + r"(?:you|we) (?:must|should|need to) (?:always|never) \w",
        _CLAUSE + rf"(?:we|i) (?:always|never) {_DO}",
        _BEFORE + r"(?:toujours|jamais) \w+er\b",
        r"^(?:n'\w+|ne \w+) jamais\b",
    ),
    "preference": (
        _CLAUSE + r"i (?:really |strongly |generally |usually )?(?:prefer|dislike|hate it when)\b",
        _CLAUSE + r"i(?:'d| would) (?:prefer (?:that |if )?you|rather you)\b",
        _CLAUSE + r"my (?:preferred|favou?rite) \w+ is\b",
        _CLAUSE + r"je préfère\b",
        _CLAUSE + r"j'aime mieux\b",
    ),
    "decision": (
        _CLAUSE + r"(?:we|i)(?:'ve| have)? (?:decided|agreed|settled on|standardi[sz]ed on)\b",
        _CLAUSE + r"(?:let'?s|we'?ll|we will|we're|we are) (?:go(?:ing)? with|stick(?:ing)? (?:with|to)"
        r"|standardi[sz](?:e|ing) on)\b",
        _CLAUSE + r"(?:nous avons|on a) (?:décidé|convenu|choisi)\b",
        _CLAUSE + r"on part sur\b",
    ),
    "fact": (
        rf"^(?:my|our) (?:\w+ ){{0,3}}(?:{_OURS}){_IS}{_LASTS}",
        rf"^the (?:staging|production|prod|dev|default|main|test|integration) (?:\w+ )?(?:{_PLACE}){_IS}{_LASTS}",
        r"^(?:here,? |in this (?:repo|repository|project|codebase),? )?we (?:only )?use "
        r"(?!(?:this|that|these|those|it|them|remember)\b)\w",
        r"^(?:notre|nos|ma|mon) (?:\w+ ){0,2}(?:base|serveur|équipe|projet|dépôt|branche|éditeur|nom)" + _EST + _LASTS,
        r"^(?:ici,? )?(?:nous utilisons|on utilise) \w",
    ),
}
RULES: Mapping[Kind, re.Pattern[str]] = {
    kind: re.compile("|".join(patterns), re.IGNORECASE) for kind, patterns in _PATTERNS.items()
}
SECRET = re.compile(  # words that go before one, and what the well-known ones look like
    "|".join(
        (
            r"\b(?:sk|pk|rk|ghp|gho|github_pat|glpat|xox[abp]|AKIA|AIza|eyJ)[-_]?[A-Za-z0-9_-]{8,}",
            r"\b(?:password|passwd|passphrase|pwd|secret|api[ _-]?key|access[ _-]?key|token|bearer|credentials?"
            r"|mot de passe|clé)\b[^\n]{0,40}?(?:\bis\b|\best\b|[:=])",
            r"://[^/\s:@]+:[^/\s@]+@",
            r"-----BEGIN",
            r"\b(?=[A-Za-z_]*\d)(?=[\d_]*[A-Za-z])\w{32,}\b",
            r"\b\d{3}[- ]\d{2}[- ]\d{4}\b",  # numbers of people: social security, cards, telephones, accounts
            r"\b(?:\d[ -]?){12,18}\d\b",
            r"\+\d(?:[ ().-]{0,2}\d){7,14}\b",
            r"(?:\b\d{3}[-. ]|\(\d{3}\) ?)\d{3}[-. ]\d{4}\b",
            r"\b0\d(?:[ .-]\d\d){4}\b",
            r"\b[A-Z]{2}\d\d(?: ?[A-Z]{4})?(?: ?\d{4}){2,}",
            r"\b(?:ssn|social security|credit card|card number|cvv|cvc|iban|passport|phone number|pin code|pin is"
            r"|sécurité sociale|carte bancaire)\b[^\n]{0,40}?\d",
        )
    ),
    re.IGNORECASE,
)
