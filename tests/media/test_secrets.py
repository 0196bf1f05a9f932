"""Secrets that people have in their cells do not go along, and what only looks like them does."""

from __future__ import annotations

import random
import string

import pytest
from detect_secrets.core.scan import scan_line
from detect_secrets.settings import transient_settings
from files import at_once
from hypothesis import given
from hypothesis import strategies as st

from xcyq_magic.media.secrets import is_private, mask

ALPHANUMERIC = string.ascii_letters + string.digits
UPPER = string.ascii_uppercase + string.digits
HEX = "0123456789abcdef"
# The judge's own plugins, but for those that take any random text for a secret.
JUDGE = [
    "AWSKeyDetector",
    "AzureStorageKeyDetector",
    "BasicAuthDetector",
    "DiscordBotTokenDetector",
    "GitHubTokenDetector",
]
JUDGE += ["GitLabTokenDetector", "JwtTokenDetector", "KeywordDetector", "MailchimpDetector", "NpmDetector"]
JUDGE += ["OpenAIDetector", "PrivateKeyDetector", "PypiTokenDetector", "SendGridDetector", "SlackDetector"]
JUDGE += ["StripeDetector", "TelegramBotTokenDetector"]


def made(size: int, of: str = ALPHANUMERIC, seed: int = 0) -> str:
    """A random value that no scanner has seen, with a digit and a letter in it."""
    draw = random.Random(f"{size} {of} {seed}")  # noqa: S311  # the same each time
    return "".join(draw.choice(of) for _ in range(size - 2)) + ("A7" if "A" in of else "a7" if "a" in of else "17")


TOKENS = {
    "openai": "sk-" + "proj-" + made(60),
    "anthropic": "sk-" + "ant-api03-" + made(90),
    "aws": "AK" + "IA" + made(16, UPPER),
    "github": "gh" + "p_" + made(36),
    "github, fine-grained": "github" + "_pat_" + made(70),
    "gitlab": "gl" + "pat-" + made(20),
    "slack": "xox" + "b-" + made(12, string.digits) + "-" + made(24),
    "google": "AI" + "za" + made(35),
    "hugging face": "h" + "f_" + made(34),
    "stripe": "sk" + "_live_" + made(24),
    "jwt": "ey" + "J" + made(30) + ".ey" + "J" + made(50) + "." + made(43),
    "sendgrid": "S" + "G." + made(22) + "." + made(43),
    "npm": "np" + "m_" + made(36),
    "pypi": "py" + "pi-" + made(110),
    "databricks": "da" + "pi" + made(32, HEX),
}
SEEN_IN = [
    "client = Client('{}')",
    'print("{}")',
    "The key that I use is {} for now.",
    'headers = {{"Authorization": "Bearer {}"}}',
    "!curl -H 'X-Key: {}' https://example.org",
    "{{'a': ['{}']}}",
]
NAMES = ["password", "db_password", "PASSWORD", "passwd", "pwd", "passphrase", "api_key", "apiKey", "OPENAI_API_KEY"]
NAMES += ["client_secret", "SECRET_KEY", "access_token", "hf_token", "aws_secret_access_key", "DB_PASS", "authToken"]
GIVEN = [
    "{n} = '{v}'",
    '{n}="{v}"',
    "connect(user='me', {n}='{v}')",
    "{{'{n}': '{v}'}}",
    '{{"{n}": "{v}"}}',
    "{n}: str = '{v}'",
    "settings['{n}'] = '{v}'",
    "{n} = '''{v}'''",
    "f(f'{{x}}', {n}=f'{v}')",
    "assert {n} == '{v}'",
    "{n} = ('{v}')",
    "{n}={v}",
    "{n}: {v}",
    "export {n}={v}",
    "!tool --{n} {v} --verbose",
    "!tool --{n}={v}",
    "%%writefile config.yaml\ndb:\n  {n}: {v}\n",
    "self.{n} = '{v}'",
    "{n} = \\\n    '{v}'",
    "{n} = SecretStr('{v}')",
    "{n} = os.environ.get('X') or '{v}'",
    "{n} = os.getenv('X', '{v}')",
    "{n}, user = '{v}', 'me'",
    "def connect(user, {n}='{v}'): ...",
    "if config['{n}'] != '{v}':\n    print(1)",
    "conf.set('{n}', '{v}')",
    "subprocess.run(['tool', '--{n}', '{v}'])",
    'body = \'{{"{n}": "{v}"}}\'',
    'body = "{{\\"{n}\\": \\"{v}\\"}}"',
    "# {n}: {v}\nx = 1",
    "!{n}={v} python x.py",
    "!curl -d '{n}={v}&a=1' https://x.org",
    "| {n} | {v} |",
    "- **{n}:** {v}",
    "{n}\t{v}",
    "<{n}>{v}</{n}>",
]
PLACES = {
    "address": ["postgresql://me:{}@host/db", "create_engine('mysql+pymysql://root:{}@localhost:3306/x')"],
    "environment": [
        "%env NAME={}",
        "%env NAME {}",
        "%set_env NAME {}",
        "env: NAME={}",
        "import os\nos.environ['X'] = '{}'",
        "os.environ.setdefault('A', '{}')",
        "os.environ.update(A='{}', B='b')",
        "os.environ.update({{'A': '{}'}})",
        "os.environ |= {{'A': '{}'}}",
        "os.putenv('A', '{}')",
        "!export A={}",
        "%%bash\nexport A={}\nls",
        "os.environ['A'] = (\n    '{}'\n)",
        "os.environ['A'] = x or '{}'",
        "os.environ['A'] = 'abc' \\\n    '{}'",
        "os.environ['A'], b = '{}', 1",
        "os.environ.update({{'A': str(1), 'B': '{}'}})",
    ],
    "header": ["headers={{'X-API-Key': '{}'}}", "Authorization: Basic {}==", "!curl -H 'X-API-Key: {}' https://x.org"],
    "query": ["http://localhost:8888/lab?token={}", "https://x.org/?a=1&api_key={}&b=2"],
    "login": ["requests.get(u, auth=('me', '{}'))", "HTTPBasicAuth('me', '{}')", "!curl -u me:{} https://x.org"],
    "connection": [
        "'Server=x;User Id=z;Password={};'",
        "'DefaultEndpointsProtocol=https;AccountName=a;AccountKey={}==;EndpointSuffix=core'",
        "psycopg2.connect('dbname=x user=y password={} host=z')",
    ],
    "private key": [
        "key = '''-----BEGIN OPENSSH PRIVATE KEY-----\n{}\n{}\n-----END OPENSSH PRIVATE KEY-----'''",
        '"private_key": "-----BEGIN PRIVATE KEY-----\\n{}\\n-----END PRIVATE KEY-----\\n"',
        "-----BEGIN RSA PRIVATE KEY-----\n{}",
        "key = ('-----BEGIN RSA PRIVATE KEY-----\\n'\n       '{}\\n')",
    ],
    "ours": ["%chat_key {}"],
    "prose": ["The password is {}", "mysql -u root -p{}", "st.secrets['db'] = '{}'", "password = 'abc' + '{}'"],
}
PLANTED = [(form.format(token), token) for token in TOKENS.values() for form in SEEN_IN]
PLANTED += [(form.format(n=n, v=made(20, seed=i)), made(20, seed=i)) for i, n in enumerate(NAMES) for form in GIVEN]
PLANTED += [(form.format(*[made(24, seed=7)] * 2), made(24, seed=7)) for forms in PLACES.values() for form in forms]


def judged(text: str) -> list[str]:
    with transient_settings({"plugins_used": [{"name": name} for name in JUDGE]}):
        return [found.secret_value for line in text.split("\n") for found in scan_line(line)]


@pytest.mark.parametrize(("cell", "secret"), PLANTED)
def test_a_secret_does_not_go_along(cell, secret):
    masked = mask([cell])
    assert secret not in masked.texts[0]
    assert masked.count >= 1
    left = [value for value in judged(masked.texts[0]) if "hidden" not in value and not value.startswith("BEGIN ")]
    assert left == []


def test_the_judge_knows_most_of_what_is_planted():
    """Or it would find nothing in anything."""
    assert sum(any(secret in value or value in secret for value in judged(cell)) for cell, secret in PLANTED) > 120


@pytest.mark.parametrize("value", ["swordfish", "hunter2", "correct horse battery staple", "pa55!word$x", "ünïcode-9"])
@pytest.mark.parametrize("form", ["password = '{}'", "login(pwd='{}')", '{{"passwd": "{}"}}'])
def test_a_password_of_words_does_not_go_either(form, value):
    assert value not in mask([form.format(value)]).texts[0]


def test_a_value_is_hidden_wherever_else_it_stands():
    value = made(16)
    cells = [f"import os\nos.environ['DB'] = '{value}'", f"print(os.environ['DB'])\n{value}", f"url = 'db://{value}/x'"]
    masked = mask(cells)
    assert [value in text for text in masked.texts] == [False] * 3
    assert masked.count == 1
    assert "os.environ['DB'] = '(hidden)'" in masked.texts[0]


def test_a_short_or_ordinary_value_is_hidden_only_where_it_is_set():
    cells = ["%env MODE=production", "mode = 'production'\nprint(1)", "%env N=1"]
    assert mask(cells).texts == ["%env MODE=(hidden)", cells[1], "%env N=(hidden)"]


def test_a_password_of_words_is_hidden_elsewhere_but_within_no_other_word():
    cells = ["password = 'swordfish'", "logged in with swordfish; swordfishes are fish", "db_password = 'localhost'"]
    masked = mask([*cells, "http://localhost:8888"]).texts
    assert masked[1] == "logged in with (hidden); swordfishes are fish"
    assert masked[3] == "http://localhost:8888"


HONEST = """
password = getpass.getpass("Password: ")
password = getpass("Password for {user}: ".format(user=me))
api_key = os.environ["OPENAI_API_KEY"]
api_key = os.getenv("OPENAI_API_KEY")
client = OpenAI(api_key=api_key)
api_key = None
api_key = "YOUR_API_KEY"
api_key="<your key here>"
token = tokenizer(text)
token = "hello"
tokens = text.split()
max_tokens = 100
model.generate(max_new_tokens=200, pad_token_id=0, eos_token="</s>")
token_type = "identifier2"
for token in doc: print(token.text, token.pos_)
secret_santa = ["Ann", "Bea"]
def login(user: str, password: str) -> bool:
pwd = Path.cwd()
df.sort_values(key=lambda s: s.str.lower())
key = "weight_kg"
d = {"key": "value", "token": "the", "password_length": 12}
url = "http://localhost:8888/lab?reset"
url = "https://user@example.org/x"
requests.get(f"https://{user}:{password}@host/x")
git clone git@github.com:owner/name.git
!git clone https://github.com/owner/name.git
hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
commit 5f2d6c1a9b0e4f7a8c3d2e1f0a9b8c7d6e5f4a3b
id = uuid.UUID("12345678-1234-5678-1234-567812345678")
seq = "ATGCGTACGTTAGCCGATCGATCGGATCCATGCA"
risk-adjusted-returns-2024-quarter-one
task-12345-processing-of-the-large-data-set
class="sk-top-container" id="sk-container-id-1"
<label for="sk-estimator-id-12" class="sk-toggleable__label">
doi:10.1038/s41586-020-2649-2
data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ
params = {"learning_rate": 0.001, "batch_size": 64, "optimizer": "adam"}
plt.plot(x, y, label="secret ingredient", color="C0")
print("Wrong password, try again")
Enter your password: ········
The token is invalid.
password  strength  score
assert response.headers["X-Request-Id"] == "abc123def456"
os.environ["HOME"]
print(os.environ.get("PATH"))
%env
%env HOME
%chat_key
%chat_key --save
%chat_key --forget
export default function App() {
we export them from here
import secrets; secrets.token_hex(16)
hashlib.sha256(password.encode()).hexdigest()
np.testing.assert_allclose(a, b)
x = torch.randn(3, 4); key, subkey = jax.random.split(key)
SELECT name, token_count FROM users WHERE password IS NOT NULL
foreign_key = "customer_id_2024_main_table"
primary_key="order_id"
df["token_count"] = df.text.str.len()
plt.savefig("passwords-per-year.png")
auth = ("user", getpass())
auth=(user, password)
with pytest.raises(KeyError, match="missing key 'alpha'"):
bearer_bonds = pd.read_csv("bearer-bonds.csv")
credentials, project = google.auth.default()
<Token: 5 of 17>
key    count\nalpha  12\nbeta   7
access_key = event.key
Keys: ['a', 'b', 'c']
ssh-keygen -t ed25519 -f key
-----BEGIN PUBLIC KEY-----
session = Session(profile_name="analysis")
r = requests.post(url, json={"user": name, "password": pw})
{"usage": {"prompt_tokens": 1200, "completion_tokens": 340}}
password = keyring.get_password("system", "me2024")
if os.environ["MODE"] == "production2": pass
PASSWORD_KEY = "password_key"
api_key = "your-openai-api-key-here"
client = OpenAI(api_key="sk-xxxxxxxxxxxxxxxxxxxx")
errors = {"password": "Passwords do not match"}
raise ValueError("password: must have at least 8 characters")
parser.add_argument("--password", help="the password to use2", default=None)
tokenizer.add_special_tokens({"pad_token": "[PAD]", "bos_token": "<s>"})
left = pd.DataFrame({"key": ["K0", "K1", "K2", "K3"], "A": ["A0", "A1", "A2", "A3"]})
re.sub(r"token=[^&]+", "token=HIDDEN", url)
if line.startswith("-----BEGIN PRIVATE KEY-----"): found = True
-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----
names = {"": "float", None: "double"}
inchikey: BSYNRYMUTXBXSQ-UHFFFAOYSA-N
smiles = "CC(=O)OC1=CC=CC=C1C(=O)O"
id="sk-estimator-id-1234567890abcdef"
password: NotRequired[str]
loss: 0.6931 - accuracy: 0.5120 - val_loss: 0.6890
"""
LINES = [line.replace("\\n", "\n") for line in HONEST.strip().split("\n")]


@pytest.mark.parametrize("cell", LINES)
def test_what_only_looks_like_a_secret_goes_as_it_is(cell):
    assert mask([cell]).texts == [cell]
    assert mask([f"import os\n{cell}\nprint(1)"]).count == 0


def test_the_cells_of_our_notebooks_go_as_they_are():
    import json
    from pathlib import Path

    cells = []
    for path in (Path(__file__).parents[2] / "notebooks").glob("*.ipynb"):
        if path.name == "servers.ipynb":  # it sets a key, if only the sandbox's
            continue
        for cell in json.loads(path.read_text("utf-8"))["cells"]:
            cells.append("".join(cell["source"]))
            cells += ["".join(o.get("text", o.get("data", {}).get("text/plain", ""))) for o in cell.get("outputs", ())]
    assert len(cells) > 100
    assert [text for text in cells if mask([text]).texts != [text]] == []


@given(st.lists(st.sampled_from([cell for cell, _ in PLANTED] + LINES) | st.text(max_size=60), max_size=6))
def test_what_is_masked_has_nothing_more_to_be_masked(texts):
    once = mask(texts)
    assert mask(once.texts).texts == once.texts
    assert len(once.texts) == len(texts)


@pytest.mark.parametrize(
    "text",
    [
        'password="',
        "-----BEGIN PRIVATE KEY-----",
        "sk-a1",
        "curl ",
        "%env a ",
        "x='",
        "http://a:",
        "a=",
        "a: b\n",
        "token ",
        " ",
        "    ",
    ],
)
def test_a_hostile_text_takes_no_longer_than_its_length(text):
    """Where time grew with the square, this would take minutes."""
    with at_once():
        mask([f"key {text * (300_000 // len(text))}", f"key\n{text * (300_000 // len(text))}x"])


@pytest.mark.parametrize(
    ("source", "markdown", "private"),
    [
        ("# private", False, True),
        ("#private\nx = 1", False, True),
        ("\n\n%%time\n#  Private: names\nx", False, True),
        ("# private equity\nx", False, False),
        ("x = 1\n# private", False, False),
        ("# PRIVATE - do not share", False, True),
        ("# private-key handling\nx", False, False),
        ("# private: names of patients", False, True),
        ("", False, False),
        ("# private", True, True),
        ("# Private equity", True, False),
        ("<!-- private -->\nwords", True, True),
    ],
)
def test_a_cell_is_private_where_its_first_line_says_so(source, markdown, private):
    assert is_private(source, markdown=markdown) is private
