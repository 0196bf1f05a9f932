"""What secrets look like: keys by their own form, and the places in which a text gives something a name.

Each pattern of a place has a group ``value``, and where a name says what the value is, a group ``name``. No pattern
takes longer than a multiple of the text's length: what may be repeated is bounded, or ends at a line or a quote.
"""

from __future__ import annotations

import re

# Keys by their own form. Each with who documents it.
_FORMS = (
    # OpenAI, Anthropic, OpenRouter, DeepSeek: https://platform.openai.com/docs/api-reference/authentication
    r"sk-(?!estimator|container|toggleable|learn)(?:(?:ant|proj|or|svcacct|admin|live|test)-)?(?=[\w-]*\d)[A-Za-z0-9](?:[\w-]*[A-Za-z0-9]{10,}[\w-]*|[\w-]{29,})",
    # AWS: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
    r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}",
    # GitHub: https://github.blog/engineering/behind-githubs-new-authentication-token-formats/
    r"gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_\w{22,255}",
    # GitLab: https://docs.gitlab.com/security/tokens/#token-prefixes
    r"gl(?:pat|dt|rt|ptt|ft|imt|agent|oas|soat|cbt)-[\w-]{20,}(?:\.\w{2}\.\w{9})?",
    # Slack: https://docs.slack.dev/authentication/tokens; incoming webhooks of Slack, Discord and Teams
    r"xox[abceoprs](?:\.xox[bp])?-[\w-]{10,}|xapp-\d-[\w-]{10,}|(?<=hooks\.slack\.com/services/)[\w/]{20,}",
    r"(?<=\.com/api/webhooks/)\d{15,}/[\w-]{40,}|(?<=webhook\.office\.com/webhookb2/)[\w@/-]{40,}",
    # Stripe: https://docs.stripe.com/keys
    r"[srp]k_(?:live|test)_[A-Za-z0-9]{10,}|whsec_[A-Za-z0-9+/=]{20,}",
    # Google: https://docs.cloud.google.com/docs/authentication/api-keys
    r"AIza[\w-]{35}|ya29\.[\w-]{20,}|GOCSPX-[\w-]{20,}",
    # Hugging Face, npm, PyPI, SendGrid, DigitalOcean, Databricks, Groq, xAI, Replicate, Perplexity, Telegram,
    # Shopify, Square, Notion, Linear, Mailgun, Mailchimp, New Relic, Figma, Supabase: as
    # https://github.com/Yelp/detect-secrets and
    # https://docs.github.com/en/code-security/secret-scanning/introduction/supported-secret-scanning-patterns list them
    r"hf_[A-Za-z0-9]{30,}|api_org_[A-Za-z0-9]{30,}|npm_[A-Za-z0-9]{36}|pypi-[\w-]{50,}|SG\.[\w-]{16,}\.[\w-]{16,}",
    r"do[opr]_v1_[0-9a-f]{64}|dapi[0-9a-f]{32}(?:-\d)?|gsk_\w{20,}|xai-\w{20,}|r8_\w{30,}|pplx-\w{30,}",
    r"\d{8,10}:AA[\w-]{33}|shp(?:at|ss|ca|pa)_[0-9a-f]{32}|sq0(?:atp|csp)-[\w-]{22,}|ntn_\w{40,}|lin_api_\w{30,}",
    r"key-[0-9a-f]{32}|NRAK-[A-Z0-9]{27}|[0-9a-f]{32}-us\d{1,2}|figd_[\w-]{30,}|sbp_[0-9a-f]{40}",
    # Docker, NVIDIA, Tavily, LangSmith, Pinecone, Sentry, HashiCorp, Doppler, PlanetScale, Grafana, Atlassian, Postman,
    # Airtable, age: as the rules of https://github.com/gitleaks/gitleaks have them
    r"dckr_[po]at_[\w-]{20,}|nvapi-[\w-]{40,}|tvly-[\w-]{20,}|lsv2_[ps][tk]_[0-9a-f]{32}_[0-9a-f]{10}|pcsk_\w{40,}",
    r"sntry[su]_[\w=+/-]{40,}|hv[sb]\.[\w-]{24,}|dp\.(?:pt|st|ct|sa)\.[\w.]{40,}|pscale_(?:tkn|pw|oauth)_[\w.-]{30,}",
    r"gls?c?a?_[A-Za-z0-9]{32}_[0-9a-f]{8}|ATATT3[\w=-]{80,}|PMAK-[0-9a-f]{24}-[0-9a-f]{34}|pat\w{14}\.[0-9a-f]{64}",
    r"AGE-SECRET-KEY-1[A-Z0-9]{58}",
    # JSON Web Tokens: https://www.rfc-editor.org/rfc/rfc7519
    r"eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?",
)
# Behind a word's beginning, an escaped line end, a colour, or the `bot` of Telegram's addresses.
_BEFORE = r"(?:(?<![A-Za-z0-9_-])|(?<=\\[nrt])|(?<=\[\d\dm)|(?<=/bot))"
FORM = re.compile(rf"{_BEFORE}(?:{'|'.join(_FORMS)})(?![A-Za-z0-9])")
# https://www.rfc-editor.org/rfc/rfc7468, also as a string writes its line ends, and without an end.
BLOCK = re.compile(
    r"(?P<head>-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----)"
    r"(?P<value>(?:[A-Za-z0-9+/=\s:,.\"'#>-]|\\{1,4}[nr\n])*?)(?=-----END|\Z|[^A-Za-z0-9+/=\s:,.\"'#>\\-])"
)
OF_BLOCK = re.compile(r"[A-Za-z0-9+/=]{12}")

# Within an address and a connection string. https://www.rfc-editor.org/rfc/rfc3986#section-3.2.1
URL = re.compile(
    r"\b[A-Za-z][A-Za-z0-9+.-]{0,30}://[^\s:/@'\"<>\[\]]{0,200}:"
    r"(?P<value>[^\s/@'\"<>\[\]][^\s/'\"<>]{0,200})@(?=[\w{$%\[-])"
)
QUERY = re.compile(
    r"[?&](?:(?:access_|refresh_|id_|auth_)?token|api_?key|client_secret|password|passwd|sig(?:nature)?|secret|"
    r"X-Amz-(?:Signature|Credential|Security-Token))=(?P<value>[^&\s\"'#<>]{6,2000})",
    re.IGNORECASE,
)
# ADO, ODBC, libpq, Azure: https://www.connectionstrings.com; forms: https://url.spec.whatwg.org/#urlencoded-parsing
CONNECTION = re.compile(
    r"(?<![\w.])(?:password|pwd|passwd|accountkey|sharedaccesskey|sharedaccesssignature)[ ]?=[ ]?"
    r"(?P<value>[^;\s\"'(),]{2,500})"
    r"(?=[;\"']|\s+\w+=|\Z)",
    re.IGNORECASE,
)
FIELD = re.compile(
    r"(?<![^\s\"'&?;!:])(?P<name>[\w.-]{2,80})=[\"']?(?P<value>[^&;\s\"'<>{}(),]{3,500})(?=[&;\s\"']|\Z)"
)
HEADER = re.compile(
    r"(?:\bAuthorization\b[\"']?\s*[:,=]\s*[\"']?\s*|(?<![\w-])(?=Bearer\s+[A-Za-z0-9+/=_.~-]*\d))"
    r"(?:Bearer|Basic|Token|ApiKey)\s+(?![a-z]{1,15}\b)(?P<value>[A-Za-z0-9+/=_.~-]{8,4000})",
    re.IGNORECASE,
)
KEY_HEADER = re.compile(
    r"\b(?:API-Key|(?:[\w-]{1,40}-)(?:Api-?Key|Token))\s*:\s*(?P<value>(?=\S*\d)[\w+/=.-]{6,500})",
    re.IGNORECASE,
)

# Values of the environment, whatever they are called.
STRING = (
    r"(?P<prefix>[rRbBfFuU]{0,2})(?P<quote>\"\"\"|'''|\\?\"|\\?')(?P<value>(?:\\.|(?!(?P=quote))[^\\])*?)(?P=quote)"
)
ENVIRONMENT = re.compile(
    r"\b(?:os\.)?(?:(?:environ|secrets)\s*\[[^\]\n]{1,200}\]\s*=(?!=)|environ\.setdefault\(\s*[^,\n]{1,200},|"
    r"(?:putenv|set_key)\(\s*(?:[^,\n]{1,200},){1,2}?)[\s(\\]*" + STRING,
    re.DOTALL,
)
UPDATE = re.compile(r"\b(?:os\.)?environ(?:\.update\(|\s*\|=)(?P<body>[^)]{0,4000})")
IN_UPDATE = re.compile(r"[:=]\s*" + STRING, re.DOTALL)
ENV_MAGIC = re.compile(
    r"^[ \t]*(?:%(?:set_)?env[ \t]+\w+(?:[ \t]*=[ \t]*|[ \t]+)|env:[ \t]+\w+=|"
    r"(?:(?:!|%sx[ \t])[ \t]*)?(?:export[ \t]+\w+=|setenv[ \t]+\w+ ))(?P<value>\S[^\n]*)",
    re.MULTILINE,
)
CHAT_KEY = re.compile(r"^[ \t]*%chat_key[ \t]+(?P<value>(?!--(?:save|forget)\s*$)\S[^\n]*)", re.MULTILINE)
LOGIN = re.compile(
    r"(?:\bauth\s*=\s*\(|\b(?:HTTP)?(?:Basic|Digest)Auth\(|\bFernet\(|\bset_password\(|\.login\((?=[^,()\n]{1,200},)|"
    r"\bjwt\.(?:en|de)code\((?=[^,\n]{1,200},))"
    r"\s*(?:[^,()\n]{1,200},\s*){0,2}" + STRING
)
WRAPPED = re.compile(r"\b[A-Za-z]{0,40}(?:Credentials?|Secret(?:Str|Bytes)?)\(\s*(?:[^,()\n]{1,200},\s*){0,2}" + STRING)
PROSE = re.compile(
    r"\b(?:password|passphrase|passcode)\s+(?:is|was):?\s+(?P<quoted>[\"'`])?(?P<value>"
    r"(?(quoted)[^\s\"'`]|(?=[^\s\"'`]*[\d!$%&@#*_])[^\s\"'`,])[^\s\"'`,]{3,199})",
    re.IGNORECASE,
)
COMMAND = re.compile(
    r"\b(?:(?:curl|wget)\b[^\n]{0,500}?\s(?:-u|--user)[ =]?[\"']?[^\s:\"']{1,100}:|mysql\w*\b[^\n]{0,500}?\s-p|"
    r"(?:sshpass|docker[ ]login|podman[ ]login)\b[^\n]{0,500}?\s-p[ ]?|wandb[ ]login[ ](?!-))"
    r"[\"']?(?P<value>[^\s\"'-][^\s\"']{0,200})"
)

# A name and what it is given: in Python, JSON, a header; then without quotes, in .env files, YAML and options.
_FIRST = r"(?:(?i:api|access|secret|private|auth|account|client|signing)[ ])?"  # of two words
_NAME = r"(?P<name>[A-Za-z_][\w.-]{0,80})"
NAMED = re.compile(
    rf"(?<![\w.-])(?:{_NAME}|(?P<q>\\?[\"']){_NAME.replace('name', 'key')}(?P=q)(?:\s*\])?)"
    rf"(?:\s*:\s*[\w.\[\]| ]{{1,60}}?)?\s*(?:=|:|==|!=|:=)[\s(\\]*{STRING}",
    re.DOTALL,
)
GOES_ON = re.compile(rf"(?<=\(hidden\)[\"'])\s*\+?\s*{STRING}", re.DOTALL)
_LINE = (
    r"^[ \t]*(?:[-*>|!][ \t]*)?(?:export[ \t]+|set[ \t]+|\$env:)?[*`_]{0,3}"
    rf"(?P<name>{_FIRST}[A-Za-z_][\w.-]{{0,80}})[*`]{{0,3}}"
    r"(?:=|:[*`]{0,3}[ \t]+|[ \t]*:[ \t]+|[ \t]+=[ \t]+)[`]?(?P<value>"
)
BARE = re.compile(_LINE + r"[^\s\"'#`][^\s\"'`]*)[`]?[ \t]*(?:#.*)?$", re.MULTILINE)
SPACED = re.compile(_LINE + r"[^\s\"'#`][^\n]*)", re.MULTILINE)  # in a file
OPTION = re.compile(
    rf"(?<![^\s\"'])--?{_NAME}(?:(?:=|[ \t]+)[\"']?|[\"'],\s*[\"'])(?P<value>[^\s\"'<>{{}}$-][^\s\"'<>{{}}$]*)"
)
ELEMENT = re.compile(rf"<{_NAME}>\s*(?P<value>[^\s<>]{{3,500}})\s*</(?P=name)>")
# A name, and soon behind it what nobody would have thought of: in tables, pairs and sentences.
NEAR = re.compile(
    rf"(?<![\w-])(?P<name>{_FIRST}[A-Za-z][\w-]{{0,60}})(?:[ ](?:is|was))?[\s:=>|,\"'`*\])}}\\]{{1,12}}"
    r"(?P<value>(?=[A-Za-z+/=_-]{0,40}(?:\d|[a-z][A-Z]{1,4}[a-z]{1,4}[A-Z]))[A-Za-z0-9+/=_-]{12,500})(?![\w(\[]|\.\w)"
)
