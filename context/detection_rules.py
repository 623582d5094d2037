"""Which sentences say something for later. Patterns of English and French, searched in a sentence without its case and
with plain apostrophes; found on sentences that we wrote, and tried on recorded conversations of agents."""

import re
from collections.abc import Mapping
from typing import Literal

Kind = Literal["asked", "rule", "preference", "decision", "fact"]

_BEFORE = r"^(?:(?:please|also|and|but|so|ok|okay|oh|btw|by the way|hey|aussi|et|donc)[,:]?\s+){0,3}"
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
        _BEFORE + r"(?:remember|keep in mind|bear in mind|don'?t forget|do not forget|never forget|make a note)\b"
        r"(?! (?:when|how|why)\b)",
        _BEFORE + r"note that\b",
        r"\bfor (?:future|later) reference\b",
        r"^(?:just )?fyi\b",
        r"^for your information\b",
        _BEFORE + r"(?:souviens[- ]toi|rappelle[- ]toi|n'oublie (?:pas|jamais)|retiens|garde en tête"
        r"|garde à l'esprit|à noter|notez? que)\b",
    ),
    "rule": (
        r"\b(?:from now on|going forward|from here on)\b",
        r"^in (?:the )?future\b",
        _BEFORE + rf"(?:always|never) (?:ever )?{_DO}",
        r"\b(?:you|we) (?:must|should|need to) (?:always|never) \w",
        rf"\b(?:we|i) (?:always|never) {_DO}",
        r"\b(?:désormais|dorénavant|à partir de maintenant)\b",
        _BEFORE + r"(?:toujours|jamais) \w+er\b",
        r"^(?:n'\w+|ne \w+) jamais\b",
    ),
    "preference": (
        r"\bi (?:really |strongly |generally |usually )?(?:prefer|dislike|hate it when)\b",
        r"\bi(?:'d| would) (?:prefer (?:that |if )?you|rather you)\b",
        r"\bmy (?:preferred|favou?rite) \w+ is\b",
        r"\bje préfère\b",
        r"\bj'aime mieux\b",
    ),
    "decision": (
        r"\b(?:we|i)(?:'ve| have)? (?:decided|agreed|settled on|standardi[sz]ed on)\b",
        r"\b(?:let'?s|we'?ll|we will|we're|we are) (?:go(?:ing)? with|stick(?:ing)? (?:with|to)"
        r"|standardi[sz](?:e|ing) on)\b",
        r"\b(?:nous avons|on a) (?:décidé|convenu|choisi)\b",
        r"\bon part sur\b",
    ),
    "fact": (
        rf"^(?:my|our) (?:\w+ ){{0,3}}(?:{_OURS}){_IS}{_LASTS}",
        rf"^the (?:staging|production|prod|dev|default|main|test|integration) (?:\w+ )?(?:{_PLACE}){_IS}{_LASTS}",
        r"^(?:here,? |in this (?:repo|repository|project|codebase),? )?we (?:only )?use \w",
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
        )
    ),
    re.IGNORECASE,
)
