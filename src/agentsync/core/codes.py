"""The stable codes of diagnostics, each with its severity, cause and remedy."""

from __future__ import annotations

from enum import Enum, StrEnum


class Severity(StrEnum):
    """INFO needs no action, WARNING means something was repaired or lost, ERROR means something was refused."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


INFO, WARNING, ERROR = Severity.INFO, Severity.WARNING, Severity.ERROR


class Code(Enum):
    """Each code with its severity, cause and remedy; the id is stable, the words may improve.

    AS1xx reading, AS2xx checks, AS3xx conversion, AS4xx sync.
    """

    # Reading: how the bytes were made sense of.
    NOT_AN_AGENT = (
        "AS100",
        INFO,
        "The file does not define an agent.",
        "Nothing to do; name it under `exclude` to hide this line.",
    )
    BYTE_ORDER_MARK = (
        "AS101",
        WARNING,
        "The file starts with a byte order mark.",
        "Save the file as UTF-8 without a byte order mark.",
    )
    UTF16 = ("AS102", WARNING, "The file is UTF-16.", "Save the file as UTF-8.")
    NOT_UTF8 = ("AS103", ERROR, "The file is neither UTF-8 nor UTF-16.", "Save the file as UTF-8.")
    LINE_ENDS = (
        "AS104",
        WARNING,
        "The lines end in a way that tools read differently.",
        "Save the file with line feeds.",
    )
    EMPTY = ("AS105", ERROR, "The file is empty.", "Write the agent, or delete the file.")
    NO_FRONTMATTER = (
        "AS106",
        ERROR,
        "There is no frontmatter.",
        "Start the file with a line `---`, then the keys, then a second line `---`.",
    )
    UNCLOSED = ("AS107", WARNING, "The frontmatter is never closed.", "Put a line `---` after its last key.")
    CLOSING_FENCE = (
        "AS108",
        WARNING,
        "The frontmatter closes with a line other than `---`.",
        "Close it with a line `---`.",
    )
    LEADING_BLANK = (
        "AS109",
        WARNING,
        "Blank lines stand before the frontmatter.",
        "Make `---` the first line of the file.",
    )
    INDENTED = ("AS110", WARNING, "The whole file is indented.", "Remove the indentation.")
    CODE_FENCED = (
        "AS111",
        WARNING,
        "The frontmatter stands in a code fence.",
        "Move it to the first line and remove the fence.",
    )
    FLATTENED = (
        "AS112",
        WARNING,
        "The file is one line; its line ends are lost.",
        "Restore the file with its line ends.",
    )
    YAML_REPAIRED = (
        "AS113",
        WARNING,
        "The frontmatter is not valid YAML and was read entry by entry.",
        "Put the value in quotes.",
    )
    YAML_INVALID = (
        "AS114",
        ERROR,
        "The frontmatter is not valid YAML and could not be recovered.",
        "Correct the YAML.",
    )
    NOT_A_MAPPING = (
        "AS115",
        ERROR,
        "The frontmatter is not a mapping of keys to values.",
        "Write one `key: value` a line.",
    )
    DUPLICATE_KEY = ("AS116", ERROR, "A key stands twice; tools disagree on which one counts.", "Keep one of the two.")
    YAML_ALIAS = (
        "AS117",
        ERROR,
        "The frontmatter uses an anchor, an alias or a merge key.",
        "Write the value out where it is needed.",
    )
    YAML_TAG = ("AS118", ERROR, "The frontmatter uses a YAML tag.", "Remove the tag.")
    TOO_DEEP = ("AS119", ERROR, "The file or its frontmatter is nested too deeply.", "Write it with fewer levels.")
    TOO_LARGE = (
        "AS120",
        ERROR,
        "The file, its frontmatter or the number of files is over the limit.",
        "Shorten the file, or read fewer files with `subfolder`, `include` or `exclude`.",
    )
    COMMENT_IN_VALUE = (
        "AS121",
        WARNING,
        "YAML reads ` #` as a comment, so the value ends before it.",
        "Put the value in quotes.",
    )
    LITERAL_NEWLINE = (
        "AS122",
        WARNING,
        "A literal `\\n` was read as a line end.",
        "Write the text as a block (`key: |`).",
    )
    TOML_INVALID = ("AS123", ERROR, "The file is not valid TOML.", "Correct the TOML.")
    CONTROL_CHARACTER = ("AS124", ERROR, "The text holds a control character.", "Remove the character.")
    WRONG_TYPE = ("AS125", ERROR, "A value has the wrong type.", "Write a value of the type that the tool documents.")
    NAME_NOT_STRING = (
        "AS126",
        WARNING,
        "YAML 1.1 reads the name as a number, a date or a boolean.",
        "Put the name in quotes.",
    )
    LFS_POINTER = (
        "AS127",
        ERROR,
        "The file is a Git LFS pointer; its content is not in the repository.",
        "Commit the file itself instead of the pointer.",
    )
    JSON_INVALID = ("AS128", ERROR, "The file is not valid JSON.", "Correct the JSON.")
    RESTRICTION_LOST = (
        "AS129",
        ERROR,
        "A key that restricts the agent is in a place where it restricts nothing.",
        "Put it on a line of its own, between the two lines `---` at the top of the file.",
    )

    # Checks: what was read and what is wrong with it.
    NAME_MISSING = ("AS201", WARNING, "There is no name; the file's name is used.", "Add a `name`.")
    NAME_UNSAFE = (
        "AS202",
        ERROR,
        "The name cannot be a file name.",
        "Rename the agent: letters, digits and dashes are safe.",
    )
    NAME_NOT_SLUG = (
        "AS203",
        WARNING,
        "The name is not lower-case letters, digits and dashes.",
        "Write the name in lower-case letters, digits and dashes.",
    )
    NAME_RESERVED = (
        "AS204",
        WARNING,
        "The name is a device on Windows, so no file is written for it.",
        "Rename the agent.",
    )
    NAME_CONFUSABLE = (
        "AS205",
        WARNING,
        "The name mixes scripts that look alike.",
        "Write the name in the letters of one script.",
    )
    DESCRIPTION_MISSING = (
        "AS206",
        ERROR,
        "There is no description.",
        "Add a `description`: tools choose an agent by it.",
    )
    DESCRIPTION_LONG = (
        "AS207",
        WARNING,
        "The description is over 1,024 characters.",
        "Move the detail into the prompt.",
    )
    BODY_EMPTY = ("AS208", WARNING, "The agent has no prompt.", "Write the agent's instructions.")
    HIDDEN_UNICODE = ("AS209", WARNING, "The text holds characters that a reader cannot see.", "Remove the characters.")
    NAME_HIDDEN_UNICODE = (
        "AS210",
        ERROR,
        "The name holds characters that a reader cannot see.",
        "Remove the characters.",
    )
    SECRET = ("AS211", WARNING, "The text looks as if it held a credential.", "Revoke the credential, then remove it.")
    NAME_TWICE = (
        "AS212",
        ERROR,
        "Two agents have the same name; neither is used.",
        "Rename or exclude one of them; between sources, `replaces = true` lets the later one win.",
    )
    SAME_TWICE = ("AS213", WARNING, "The same agent stands in two files.", "Exclude one of them.")
    WRONG_DIALECT = (
        "AS214",
        ERROR,
        "The value has another tool's form; this tool would read it otherwise.",
        "Write the value in the form that this tool reads.",
    )
    UNKNOWN_TOOL = (
        "AS215",
        WARNING,
        "The tool name is not one that this dialect knows.",
        "Correct the tool's name, or remove it.",
    )
    NO_EFFECT = (
        "AS216",
        WARNING,
        "The tool ignores this key, so what it restricts is not restricted.",
        "Use the key that the tool reads.",
    )
    INVALID_VALUE = (
        "AS217",
        WARNING,
        "The tool does not accept this value and drops it.",
        "Use a value that the tool accepts.",
    )
    TOOLS_NONE = (
        "AS218",
        WARNING,
        "The value of `tools` grants no tool at all.",
        "Remove the key to grant every tool.",
    )
    PATH_UNSAFE = (
        "AS219",
        ERROR,
        "The path in the repository is not safe on every file system.",
        "Rename the file in the repository.",
    )
    SYMLINK = (
        "AS220",
        ERROR,
        "The path is a symbolic link, and these are never followed.",
        "Commit the file itself instead of the link.",
    )
    OWN_RESTRICTION = (
        "AS221",
        INFO,
        "Only the agent's own tool can read this restriction, so other tools are given less.",
        "Nothing to do, unless other tools are to have more; then say it in a way that they share.",
    )

    # Conversion: what a target cannot carry.
    FIELD_LOST = (
        "AS301",
        WARNING,
        "The target cannot carry this field.",
        "Check that the agent works in that tool without it.",
    )
    UNKNOWN_KEY = (
        "AS302",
        INFO,
        "No tool knows this key; it stays in the source.",
        "Nothing to do, unless the key is misspelt.",
    )
    MODEL_UNKNOWN = (
        "AS303",
        WARNING,
        "No table names this model for the target; it is left out.",
        "Name the target's model under `[models.<dialect>]`.",
    )
    TOOL_LOST = (
        "AS304",
        WARNING,
        "The target has no such tool, or cannot grant it alone.",
        "Check that the agent works in that tool without it; docs/permissions.md says what each tool can express.",
    )
    GLOB_NARROWED = (
        "AS305",
        WARNING,
        "The target cannot refuse part of a tool; the tool is left out.",
        'Nothing to do if the agent works without the tool; `unenforceable = "accept"` grants all of it.',
    )
    APPROVAL_SESSION = (
        "AS306",
        WARNING,
        "The target cannot ask for this tool alone; its session decides.",
        "Nothing to do if that is enough; `strict_approval = true` refuses the agent instead.",
    )
    APPROVAL_NARROWED = (
        "AS307",
        INFO,
        "The target asks where the source does not.",
        "Nothing to do; the agent is asked for more often there.",
    )
    COARSE = (
        "AS308",
        WARNING,
        "The target's tool covers more than was granted; it is left out.",
        'Nothing to do if the agent works without the tool; `coarse = "accept"` grants all of it.',
    )
    REFUSED_WIDER = (
        "AS309",
        ERROR,
        "The target would grant more than the source; nothing is written.",
        "Restrict the agent in a way that the target can express; docs/permissions.md says which.",
    )
    REFUSED_REQUIRED = (
        "AS310",
        ERROR,
        "The target requires what the agent does not have.",
        "Add what is missing to the agent.",
    )
    ACCEPTED_WIDER = (
        "AS311",
        WARNING,
        "The target grants more than the source, as its configuration accepts.",
        'Remove `"accept"` from the target\'s configuration if that is too much.',
    )
    NAME_CHANGED = ("AS312", INFO, "The target needs another form of the name.", "Nothing to do.")
    UNRESTRICTABLE = (
        "AS313",
        WARNING,
        "The target has no list of tools, so MCP servers, skills and agents of the user's session stay available.",
        "Configure for that tool only servers, skills and agents that every agent may use.",
    )
    VERSION_DIFFERS = (
        "AS314",
        WARNING,
        "Two tools have different versions of one agent.",
        "Read the difference, and write down what is meant.",
    )

    # Sync: what stands in the way of applying.
    CONFLICT_UNMANAGED = (
        "AS401",
        ERROR,
        "A file that agentsync did not write is in the way.",
        "Move or delete the file.",
    )
    CONFLICT_EDITED = (
        "AS402",
        ERROR,
        "The file was edited here since agentsync wrote it.",
        "Take the edit to the source, or delete the file to get the source's version.",
    )
    TARGET_MISSING = (
        "AS403",
        WARNING,
        "The tool's directory is not on this machine.",
        "Install the tool, set `create = true`, or remove the target from the configuration.",
    )
    TARGET_SYMLINK = (
        "AS404",
        ERROR,
        "The target directory, or one above it, is a symbolic link.",
        "Set `follow_symlinks = true` for the target if the link is meant.",
    )
    WRITE_FAILED = (
        "AS405",
        ERROR,
        "The file could not be written or deleted.",
        "Check the permissions and the free space.",
    )
    HELD_EMPTY = (
        "AS406",
        ERROR,
        "The source has no agents left; nothing of it is applied.",
        "If that is meant, run `agentsync pull --allow-deletions`.",
    )
    HELD_DELETIONS = (
        "AS407",
        ERROR,
        "The source drops too many agents at once; nothing of it is applied.",
        "If that is meant, run `agentsync pull --allow-deletions`.",
    )
    KEPT_LAST_GOOD = (
        "AS408",
        WARNING,
        "The file cannot be used; its last good version stays.",
        "Correct the file in the source.",
    )
    OTHER_SOURCE = (
        "AS409",
        ERROR,
        "Another source wrote this file.",
        "Rename the agent, or remove one of the sources.",
    )
    TARGET_LEFT = (
        "AS410",
        WARNING,
        "A target is no longer configured, and its files stay where they are.",
        "Delete the files if no tool needs them, or configure the target again.",
    )
    SOURCE_CHANGED = (
        "AS411",
        WARNING,
        "The source's URL changed; nothing of the old one is deleted.",
        "To delete what only the former one has, run `agentsync pull --allow-deletions`.",
    )
    SOURCE_FAILED = (
        "AS412",
        ERROR,
        "The source could not be fetched; its agents stay.",
        "Check the URL, the credentials and the network.",
    )
    SOURCE_REFUSED = (
        "AS413",
        ERROR,
        "The source must not be used as it is; its agents stay.",
        "Correct the repository; `allow_rewrite = true` accepts a rewritten branch or a moved tag.",
    )
    NO_AGENTS = (
        "AS414",
        WARNING,
        "A source has no agents.",
        "Check `subfolder`, `include` and `exclude`; `agentsync check` in a clone says what each file is.",
    )
    NOT_KEPT = (
        "AS415",
        ERROR,
        "What a rollback would bring back is not kept any more.",
        "Take the file from the repository; `history` under `[limits]` says how many syncs are kept.",
    )
    SUSPENDED = (
        "AS416",
        WARNING,
        "Pulling is suspended, so nothing is applied.",
        "Say `agentsync resume` to let pulls apply changes again.",
    )
    SOURCE_UNVERIFIED = (
        "AS417",
        ERROR,
        "What the source leads to is not signed as it must be here; its agents stay.",
        "Sign it with an allowed key; `[sources.NAME.signed]` in the configuration says where those keys are named.",
    )
    SOURCE_LEFT = (
        "AS418",
        WARNING,
        "A source is no longer configured, and its files stay where they are.",
        "To delete them, run `agentsync pull --allow-deletions`; or configure the source again.",
    )

    # Policy: what somebody other than the author says of an agent, and what this machine takes of it.
    OVERRIDE_WIDER = (
        "AS501",
        ERROR,
        "An override would let an agent do more than its author does.",
        "Override only to take away; to give more, change the agent itself.",
    )
    OVERRIDE_UNUSED = (
        "AS502",
        WARNING,
        "An override is for an agent that no source has.",
        "Correct the name, or remove the override.",
    )
    EXCLUDED = (
        "AS503",
        INFO,
        "The configuration or the agent's own file keeps an agent from a target.",
        "Nothing to do.",
    )
    OVERLAY_UNUSABLE = (
        "AS504",
        ERROR,
        "An overlay cannot be used, so the agents that it is for stay as they are.",
        "Correct the file, or remove it.",
    )
    HIDDEN_REFUSED = (
        "AS505",
        ERROR,
        "The policy takes no text with characters that a reader cannot see.",
        "Remove the characters.",
    )
    SECRET_REFUSED = (
        "AS506",
        ERROR,
        "The policy takes no text that looks as if it held a credential.",
        "Revoke the credential, then remove it.",
    )
    HOOKS_REFUSED = (
        "AS507",
        ERROR,
        "The agent has hooks, and the policy allows none.",
        'Remove them; or, where they are to be run, say `hooks = "allow"` under `[policy]`.',
    )
    SERVERS_REFUSED = (
        "AS508",
        ERROR,
        "The agent brings MCP servers of its own, and the policy allows none.",
        'Configure the server in the tool; or, where it is to start, say `mcp_servers = "allow"` under `[policy]`.',
    )
    MODE_REFUSED = (
        "AS509",
        ERROR,
        "The agent sets a permission mode that the policy does not allow.",
        "Remove it; or, where it is to count, name it in `modes` under `[policy]`.",
    )
    GRANT_REFUSED = (
        "AS510",
        ERROR,
        "The agent would be given a tool that the policy does not allow.",
        "Name the agent's tools, and only such as the policy allows.",
    )
    MODEL_REFUSED = (
        "AS511",
        ERROR,
        "The agent asks for a model that the policy does not allow.",
        "Use a model that the policy allows, or none.",
    )
    NAME_REFUSED = ("AS512", ERROR, "The policy keeps this name for somebody else.", "Rename the agent.")
    SIZE_REFUSED = (
        "AS513",
        ERROR,
        "The file is over the policy's limit.",
        "Shorten the file.",
    )
    GROWN = (
        "AS514",
        WARNING,
        "An agent is given more than the version that was here.",
        "Look at the change in the source, if it was not expected.",
    )
    HELD_ESCALATION = (
        "AS515",
        ERROR,
        "An agent would be given more than the version that is here, which stays until that is confirmed.",
        "If that is meant, run `agentsync pull --allow-escalation`.",
    )
    HELD_CROWD = (
        "AS516",
        ERROR,
        "A source has more agents than the policy takes; nothing of it is applied.",
        "Read fewer of them with `subfolder`, `include`, `exclude`, `only` or `skip`.",
    )

    PROGRAM_REFUSED = (
        "AS517",
        ERROR,
        "The agent has its tool run a program or load code, and the policy allows none.",
        'Remove the key; or, where the program is to run, say `programs = "allow"` under `[policy]`.',
    )
    ADDRESS_REFUSED = (
        "AS518",
        ERROR,
        "The agent names a server or address for its tool, and the policy allows none.",
        'Configure it in the tool; or, where it is to be used, say `addresses = "allow"` under `[policy]`.',
    )
    FILE_REFUSED = (
        "AS519",
        ERROR,
        "The agent has its tool read or write files outside the project, and the policy allows none.",
        'Name files of the project; or, where these are meant, say `files = "allow"` under `[policy]`.',
    )

    def __init__(self, id_: str, severity: Severity, cause: str, remedy: str) -> None:
        self.id = id_
        self.severity = severity
        self.cause = cause
        self.remedy = remedy
