"""The stable codes of diagnostics, each with its severity, cause, remedy and effect."""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import Final


class Severity(StrEnum):
    """INFO needs no action, WARNING means something was repaired or lost, ERROR means something was refused."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


INFO, WARNING, ERROR = Severity.INFO, Severity.WARNING, Severity.ERROR

# Effects that many codes share. A refused agent keeps its files: a mistake in the source must not take an agent away. Not
# every agent has one, so the sentences do not promise it; AS408 is reported where it does.
_REPAIRED: Final = "The agent is written from the repaired text; the source is not changed."
_REFUSED: Final = "The agent is written to no target; a version that was written earlier stays."
_REFUSED_HERE: Final = "The agent is not written to this target; a version that was written there earlier stays."


class Code(Enum):
    """A table of codes: id, severity, cause, remedy, effect. The id is stable, the sentences may be improved.

    AS1xx reading, AS2xx checks, AS3xx conversion, AS4xx sync, AS5xx policy.
    """

    # One line per code, so that the table can be read and compared by column.
    # fmt: off

    # Reading: repairs, and files that cannot be read.
    NOT_AN_AGENT = "AS100", INFO, "The file does not define an agent.", "Nothing to do; name it under `exclude` to hide this line.", "The file is skipped; an agent that was written from it earlier stays."
    BYTE_ORDER_MARK = "AS101", WARNING, "The file starts with a byte order mark.", "Save the file as UTF-8 without a byte order mark.", "The agent is written without the mark; the source is not changed."
    UTF16 = "AS102", WARNING, "The file is UTF-16.", "Save the file as UTF-8.", "The agent is written as UTF-8; the source is not changed."
    NOT_UTF8 = "AS103", ERROR, "The file is neither UTF-8 nor UTF-16.", "Save the file as UTF-8.", _REFUSED
    LINE_ENDS = "AS104", WARNING, "Tools disagree on how to read the line ends of the file.", "Save the file with line feeds.", "The agent is written with line feeds; the source is not changed."
    EMPTY = "AS105", ERROR, "The file is empty.", "Write the agent, or delete the file.", _REFUSED
    NO_FRONTMATTER = "AS106", ERROR, "There is no frontmatter.", "Start the file with a line `---`, then the keys, then a second line `---`.", _REFUSED
    UNCLOSED = "AS107", WARNING, "The frontmatter is never closed.", "Put a line `---` after its last key.", _REPAIRED
    CLOSING_FENCE = "AS108", WARNING, "The frontmatter closes with a line other than `---`.", "Close it with a line `---`.", _REPAIRED
    LEADING_BLANK = "AS109", WARNING, "There are blank lines before the frontmatter.", "Make `---` the first line of the file.", _REPAIRED
    INDENTED = "AS110", WARNING, "The whole file is indented.", "Remove the indentation.", _REPAIRED
    CODE_FENCED = "AS111", WARNING, "The frontmatter is inside a code fence.", "Move it to the first line and remove the fence.", _REPAIRED
    FLATTENED = "AS112", WARNING, "The file is one line; its line ends are lost.", "Restore the file with its line ends.", "The agent is written with one line per key; the prompt stays as it is."
    YAML_REPAIRED = "AS113", WARNING, "The frontmatter is not valid YAML and was read entry by entry.", "Put the value in quotes.", _REPAIRED
    YAML_INVALID = "AS114", ERROR, "The frontmatter is not valid YAML and could not be recovered.", "Correct the YAML.", _REFUSED
    NOT_A_MAPPING = "AS115", ERROR, "The frontmatter is not a mapping of keys to values.", "Write one `key: value` a line.", _REFUSED
    DUPLICATE_KEY = "AS116", ERROR, "A key appears twice; tools disagree on which one counts.", "Keep one of the two.", _REFUSED
    YAML_ALIAS = "AS117", ERROR, "The frontmatter uses an anchor, an alias or a merge key.", "Write the value out where it is needed.", _REFUSED
    YAML_TAG = "AS118", ERROR, "The frontmatter uses a YAML tag.", "Remove the tag.", _REFUSED
    TOO_DEEP = "AS119", ERROR, "The file or its frontmatter is nested too deeply.", "Write it with fewer levels.", _REFUSED
    TOO_LARGE = "AS120", ERROR, "The file, its frontmatter or the number of files is over the limit.", "Shorten the file, or read fewer files with `subfolder`, `include` or `exclude`.", "What is over the limit is not read; a version that was written earlier stays."
    COMMENT_IN_VALUE = "AS121", WARNING, "YAML reads ` #` as a comment, so the value ends before it.", "Put the value in quotes.", "The agent is written with the whole value; the source is not changed."
    LITERAL_NEWLINE = "AS122", WARNING, "A literal `\\n` was read as a line end.", "Write the text as a block (`key: |`).", "The agent is written; where it is converted, the text has a line end there."
    TOML_INVALID = "AS123", ERROR, "The file is not valid TOML.", "Correct the TOML.", _REFUSED
    CONTROL_CHARACTER = "AS124", ERROR, "The text contains a control character.", "Remove the character.", _REFUSED
    WRONG_TYPE = "AS125", ERROR, "A value has the wrong type.", "Write a value of the type that the tool documents.", _REFUSED
    NAME_NOT_STRING = "AS126", WARNING, "YAML 1.1 reads the name as a number, a date or a boolean.", "Put the name in quotes.", "The agent is written with the name as text; the source is not changed."
    LFS_POINTER = "AS127", ERROR, "The file is a Git LFS pointer; its content is not in the repository.", "Commit the file itself instead of the pointer.", _REFUSED
    JSON_INVALID = "AS128", ERROR, "The file is not valid JSON.", "Correct the JSON.", _REFUSED
    RESTRICTION_LOST = "AS129", ERROR, "A key that restricts the agent is in a place where it restricts nothing.", "Put it on a line of its own, between the two lines `---` at the top of the file.", _REFUSED
    PART_MISSING = "AS130", ERROR, "A file that is part of the agent cannot be read.", "Commit the file, where the path in the agent's settings leads.", _REFUSED
    TOO_SLOW = "AS131", ERROR, "The file takes too long to read and convert.", "Shorten the file: what makes it slow is mostly a very long line, or the same thing thousands of times.", _REFUSED
    TOO_MANY_PATTERNS = "AS132", ERROR, "The agent's permission patterns are too many, or too long, to be compared.", "Write fewer or shorter ones.", _REFUSED

    # Checks: problems of an agent, its name and its path.
    NAME_MISSING = "AS201", WARNING, "There is no name.", "Add a `name`.", "The agent is written under the name of its file."
    NAME_UNSAFE = "AS202", ERROR, "The name cannot be a file name.", "Rename the agent: letters, digits and dashes are safe.", _REFUSED
    NAME_NOT_SLUG = "AS203", WARNING, "The name is not lower-case letters, digits and dashes.", "Write the name in lower-case letters, digits and dashes.", "The agent is written; the name is converted where a tool or a file name needs it."
    NAME_RESERVED = "AS204", WARNING, "The name is a device on Windows.", "Rename the agent.", "The agent is written to no target, unless a `prefix` changes its name; a version that was written earlier stays."
    NAME_CONFUSABLE = "AS205", WARNING, "The name mixes scripts that look alike.", "Write the name in the letters of one script.", "The agent is written; the name is converted where a tool or a file name needs it."
    DESCRIPTION_MISSING = "AS206", ERROR, "There is no description.", "Add a `description`: tools choose an agent by it.", _REFUSED
    DESCRIPTION_LONG = "AS207", WARNING, "The description is over 1,024 characters.", "Move the detail into the prompt.", "The agent is written with the whole description."
    BODY_EMPTY = "AS208", WARNING, "The agent has no prompt.", "Write the agent's instructions.", "The agent is written, except to tools that require a prompt."
    HIDDEN_UNICODE = "AS209", WARNING, "The text contains characters that a reader cannot see.", "Remove the characters.", "The agent is written with them, since the policy allows it."
    NAME_HIDDEN_UNICODE = "AS210", ERROR, "The name contains characters that a reader cannot see.", "Remove the characters.", _REFUSED
    SECRET = "AS211", WARNING, "The text seems to contain a credential.", "Revoke the credential, then remove it.", "The agent is written with it, since the policy allows it."
    NAME_TWICE = "AS212", ERROR, "Two agents have the same name.", "Rename or exclude one of them; or name the dialect of each under `[agents.dialects]`; between sources, `replaces = true` lets the later one win.", "Of one source, neither agent is written and versions that were written earlier stay; of two sources, one keeps the name."
    SAME_TWICE = "AS213", WARNING, "The same agent is in two files, or another file takes precedence.", "Exclude one of them.", "One of the files is used, the other is ignored."
    WRONG_DIALECT = "AS214", ERROR, "The value has another tool's form; this tool would read it differently.", "Write the value in the form that this tool reads.", _REFUSED
    UNKNOWN_TOOL = "AS215", WARNING, "The tool name is not one that this dialect knows.", "Correct the tool's name, or remove it.", "The agent is written; its own tool ignores the name, or gets a file without it."
    NO_EFFECT = "AS216", WARNING, "The agent's own tool does not enforce what this key restricts.", "Use the key that the tool reads.", "The agent is written; other tools restrict it as its author intended."
    INVALID_VALUE = "AS217", WARNING, "The tool does not accept this value.", "Use a value that the tool accepts.", "The agent is written; the tool may ignore the value, or not run the agent."
    TOOLS_NONE = "AS218", WARNING, "The value of `tools` grants no tool at all.", "Remove the key to grant every tool.", "The agent is written, but may use no tool."
    PATH_UNSAFE = "AS219", ERROR, "The path in the repository is not safe on every file system.", "Rename the file in the repository.", "The file is not read; a version that was written earlier stays."
    SYMLINK = "AS220", ERROR, "The path is a symbolic link, and these are never followed.", "Commit the file itself instead of the link.", "The link is not read; a version that was written earlier stays."
    OWN_RESTRICTION = "AS221", INFO, "Only the agent's own tool can read this restriction.", "Nothing to do, unless other tools should grant more; then restrict the agent by keys that they share.", "The agent is written; other tools grant it less."
    FILES_NEEDED = "AS222", WARNING, "The agent names files that do not come with it.", "Write what matters into the agent's instructions, or bring the files by other means.", "The agent is written; the files are not, and paths in its instructions are not changed."
    OTHERS_NEEDED = "AS223", INFO, "The agent names skills, MCP servers or commands that do not come with it.", "Nothing to do where its users have them; otherwise bring them by other means.", "The agent is written; what it names is not."
    SUBMODULE = "AS224", WARNING, "The path is a submodule, and files of other repositories are not read.", 'Set `submodules = "follow"` for the source, make the other repository a source of its own, or name the path under `exclude`.', "No agent in it is written."

    VERSIONS = "AS225", INFO, "One agent has versions for several tools.", "Nothing to do; `versions` under `[agents]` in agentsync.toml sets whose version other tools get.", "Each tool gets its own version, any other tool one of them."
    PLUGIN_NAMES = "AS226", INFO, "Several plugins have agents of one name.", "Nothing to do; a name that only one plugin has stays as it is.", "Each is written with its plugin's name in front."

    AGENT_UNKNOWN = "AS227", WARNING, "The agent names another agent that no file defines.", "Correct the name, or remove it.", "The agent is written; where only named agents may be called, it can call one less."
    OWN_TOOL = "AS228", INFO, "Only the agent's own tool has this tool.", "Nothing to do if the agent works in other tools without it.", "The agent is written; agents of other tools do without."
    NOT_LOADED = "AS229", ERROR, "The agent's own tool does not load this file.", "Correct what the message names.", "The agent is not written to its own tool, whose last good version stays; other tools get it."

    # Conversion: what a target cannot express.
    FIELD_LOST = "AS301", INFO, "The target cannot express this field.", "Nothing to do, unless the agent depends on it there.", "The agent is written; the field is lost there, or part of it."
    UNKNOWN_KEY = "AS302", INFO, "The agent's own tool does not know this key.", "Nothing to do, unless the key is misspelt.", "The agent is written without the key; it stays in the source."
    MODEL_UNKNOWN = "AS303", WARNING, "No table names this model for the target.", "Name the target's model under `[models.<dialect>]`.", "The agent is written without a model; the session's own is used."
    TOOL_LOST = "AS304", INFO, "The target has no such tool, or cannot grant it alone.", "Check that the agent works in that tool without it; `agentsync docs permissions` lists what each tool can express.", "The agent is written with fewer tools."
    GLOB_NARROWED = "AS305", INFO, "The target cannot refuse part of a tool.", 'Nothing to do if the agent works without the tool; `unenforceable = "accept"` grants all of it.', "The agent is written without the tool."
    APPROVAL_SESSION = "AS306", WARNING, "The target cannot ask for this tool alone.", "Nothing to do if that is enough; `strict_approval = true` refuses the agent instead.", "The agent is written; the user's own settings decide when it asks."
    APPROVAL_NARROWED = "AS307", INFO, "The target asks where the source does not.", "Nothing to do; the user is asked for approval more often there.", "The agent is written; it may ask for approval more often."
    COARSE = "AS308", INFO, "The target's tool covers more than was granted.", 'Nothing to do if the agent works without the tool; `coarse = "accept"` grants all of it.', "The agent is written without the tool, or with less of it."
    REFUSED_WIDER = "AS309", ERROR, "The target would grant more than the source.", "Allow the agent what the target always gives, restrict it as the target can (`agentsync docs permissions` lists how), or name it in `skip` of that target.", _REFUSED_HERE
    REFUSED_REQUIRED = "AS310", ERROR, "The target requires what the agent does not have.", "Add what is missing to the agent.", _REFUSED_HERE
    ACCEPTED_WIDER = "AS311", WARNING, "The target grants more than the source, as its configuration accepts.", 'Remove `"accept"` from the target\'s configuration if that is too much.', "The agent is written; it may do more there than its source grants."
    NAME_CHANGED = "AS312", INFO, "The target needs another form of the name.", "Nothing to do.", "The agent is written under that form of its name."
    UNRESTRICTABLE = "AS313", WARNING, "The target cannot restrict every tool, MCP server, skill or agent of the user's session.", "Configure for that tool only servers, skills and agents that every agent may use.", "The agent is written; these stay available to it as the session has them."
    VERSION_DIFFERS = "AS314", WARNING, "Two tools have different versions of one agent.", "Compare the versions, and write down what is intended.", "The first version is imported; what the others have is kept for their tool, or left out."
    LEFT_OUT = "AS315", WARNING, "The agent's own tool refuses the file as it is.", "Correct what the message names, so that its own tool loads the author's file.", "The agent is written; what its own tool refuses is left out."
    MODEL_UNLISTED = "AS316", WARNING, "No table has this model of the target's own vendor.", "Nothing to do if the user's account has it; otherwise name another under `[models.<dialect>]`.", "The agent is written with the model, since the target takes any id of its vendor."
    TEMPLATE_ESCAPED = "AS317", INFO, "The target treats a `${word}` in the instructions as a template.", "Nothing to do.", "The agent is written with the same text in a form that is no template there."
    ABILITY_LOST = "AS318", WARNING, "The agent can no longer do something that it can do in its own tool.", "Check that the agent is of use in that tool without it, or exclude it from the target; `agentsync docs permissions` lists what each tool can express.", "The agent is written, and cannot do that there; `-v` shows the causes, as notes."

    # Sync: what keeps changes from being applied.
    CONFLICT_UNMANAGED = "AS401", ERROR, "A file that agentsync did not write is in the way.", "Run `agentsync adopt NAME` to put the team's agent in its place and keep yours as a backup; or leave it, or rename yours.", "The file is kept; the agent is not written there."
    CONFLICT_EDITED = "AS402", ERROR, "The file was edited here since agentsync wrote it.", "Take the edit to the source; `agentsync adopt NAME` puts the source's version back and keeps yours as a backup.", "The edited file is kept; the source's change is not applied to it."
    TARGET_MISSING = "AS403", WARNING, "The tool's directory is not on this machine.", "Install the tool, set `create = true`, or remove the target from the configuration.", "Nothing is written to the target."
    TARGET_SYMLINK = "AS404", ERROR, "The target directory, or one above it, is a symbolic link.", "Set `follow_symlinks = true` for the target if the link is intended.", "Nothing in the target is written or deleted."
    WRITE_FAILED = "AS405", ERROR, "The file could not be written or deleted.", "Check the permissions and the free space.", "The change is not made; the next run tries again."
    HELD_EMPTY = "AS406", ERROR, "The source has no agents left.", "If that is intended, run `agentsync pull --allow-deletions`.", "Nothing of the source is applied until the deletions are confirmed."
    HELD_DELETIONS = "AS407", ERROR, "The source drops too many agents at once.", "If that is intended, run `agentsync pull --allow-deletions`.", "Nothing of the source is applied until the deletions are confirmed."
    KEPT_LAST_GOOD = "AS408", WARNING, "The file cannot be used.", "Correct the file in the source.", "The last good version stays."
    OTHER_SOURCE = "AS409", ERROR, "Another source wrote this file.", "Rename the agent, or remove one of the sources.", "The file is kept; the agent is not written there."
    TARGET_LEFT = "AS410", WARNING, "A target is no longer configured.", "Delete the files if no tool needs them, or configure the target again.", "The files that were written to it stay where they are."
    SOURCE_CHANGED = "AS411", WARNING, "The source's URL changed.", "To delete what only the former one has, run `agentsync pull --allow-deletions`.", "The new URL is applied; files that only the former one has stay."
    SOURCE_FAILED = "AS412", ERROR, "The source could not be fetched.", "Check the URL, the credentials and the network.", "Its agents stay as they were applied last."
    SOURCE_REFUSED = "AS413", ERROR, "The source must not be used as it is.", "Correct the repository; `allow_rewrite = true` accepts a rewritten branch or a moved tag.", "Its agents stay as they were applied last."
    NO_AGENTS = "AS414", WARNING, "A source has no agents.", "Check `subfolder`, `include` and `exclude`; `agentsync check` in a clone reports what each file is.", "Nothing is written from the source."
    NOT_KEPT = "AS415", ERROR, "The content that a rollback would restore is no longer kept.", "Take the file from the repository; `history` under `[limits]` sets how many syncs are kept.", "The file stays as it is."
    SUSPENDED = "AS416", WARNING, "Pulling is suspended.", "Run `agentsync resume` to let pulls apply changes again.", "Changes are planned and reported, but not applied."
    SOURCE_UNVERIFIED = "AS417", ERROR, "The commit that the source leads to is not signed as required here.", "Sign it with an allowed key; `[sources.NAME.signed]` in the configuration lists where those keys are named.", "Its agents stay as they were applied last."
    SOURCE_LEFT = "AS418", WARNING, "A source is no longer configured.", "To delete its files, run `agentsync pull --allow-deletions`; or configure the source again.", "The files that it wrote stay where they are."
    NO_AGENTS_AT_ALL = "AS419", ERROR, "No source has an agent.", "Check `subfolder`, `include`, `exclude`, `only` and `skip`; `agentsync check` in a clone reports what each file is.", "Nothing is written."
    HISTORY_CUT = "AS420", WARNING, "The source is a shallow repository, whose history does not reach back to the commit that was applied last.", "Serve a repository with its whole history, so that a rewritten branch can be refused.", "The commit is applied, unless it is known to be an earlier one."
    NOT_SEARCHED = "AS421", INFO, "A source has too many files to read all of them.", "Nothing to do, unless agents are among the other files; then name these under `include`.", "Only tools' own directories and directories of agents are read; an agent that was written from another file earlier stays."
    HELD_SCATTERED = "AS422", ERROR, "A source that is new here would bring many agents from outside its directories of agents.", "Look at them with `agentsync plan`; if they are intended, set `allow_scattered = true` under `[sources.NAME]`, or run `agentsync pull --allow-scattered`.", "Nothing of the source is applied until that is confirmed."
    NO_SUCH_PATH = "AS426", ERROR, "A `subfolder` or a pattern of `include` leads to nothing in its source.", "Correct it; the message lists what is there, the nearest first.", "No agent is read there; the source's other agents are."
    NO_SUCH_AGENT = "AS427", ERROR, "A pattern of `only` matches no agent.", "Correct it; the message lists what is there, the nearest first.", "The agent that is meant is not written; the others are."
    PATTERN_UNUSED = "AS428", WARNING, "A pattern of `skip` or `exclude`, or one of the repository's own, matches nothing.", "Correct or remove it; the message lists what is there, the nearest first.", "The pattern leaves nothing out, or adds nothing."
    MANAGED = "AS429", ERROR, "A trial would change files that this machine's configuration manages.", "Give the trial a directory of its own: `--to TOOL=DIR`.", "These files stay as they are; the trial's other agents are written."
    HOLD_UNKNOWN = "AS435", ERROR, "The rollout's `hold_at` leads to no commit of the branch, or to several.", "Write the whole id of a commit that `git log` lists; `agentsync rollout hold COMMIT` does.", "Every machine stays where it is."
    STAGE_EMPTY = "AS436", WARNING, "A stage of the rollout is likely to be without a machine.", "Name groups for the stage under `groups`, and give machines a `group`; or raise its `share`.", "Where a stage has no machine, nobody tries a commit before the next stage gets it."
    STAGE_SMALL = "AS437", WARNING, "A stage of the rollout is without a machine in many small teams, and nothing says how many machines there are.", "Name groups for the stage under `groups`, and give machines a `group`; or set `machines` under `[rollout]` to about how many there are.", "Where a stage has no machine, nobody tries a commit before the next stage gets it."
    ROLLOUT_NAME = "AS438", WARNING, "The configuration gives this machine a group or a stage that the repository's rollout does not have.", "Correct `group` or `stage` under `[sources.NAME.rollout]`, or the repository's `[rollout]`.", "An unknown stage counts as the last one; with an unknown group, the machine's share decides."
    SAME_AGENT = "AS440", INFO, "A file that agentsync did not write defines the very agent that the team has.", "Run `agentsync adopt NAME`, so that later changes of the team's arrive; yours is kept as a backup.", "The file is kept as it is, until the team changes the agent, which is a conflict."
    ROLLOUT_OVERRULED = "AS441", WARNING, "The configuration declares another part in a rollout than this machine's policy sets.", "Remove the setting from `[sources.NAME.rollout]`, or ask whoever manages the machine to change its `policy.toml`.", "What the policy sets counts."
    SOURCE_STALE = "AS450", WARNING, "The newest commit of a source is older than its `max_age`.", "Make sure that the server passes on what is merged; where nothing was merged, merge something, such as an empty commit, or raise `max_age`.", "Its agents stay as they were applied last."
    RESTRICTED_BELOW = "AS456", ERROR, "What restricts the agent is in a table named after one tool, which no tool reads.", "Write the restriction at the top level, as the agent's own tool reads it; or generate each tool's file, such as with rulesync, and run `agentsync import`.", _REFUSED
    NOT_INCLUDED = "AS457", INFO, "The repository's `include` leaves out files that define agents.", "Add their directory to `include` under `[agents]` in agentsync.toml, or name them under `exclude` to hide this line.", "They are not read: no tool gets them."
    DESCRIPTION_MISSPELT = "AS458", WARNING, "There is no description, and a key that looks like a misspelt one.", "Write `description`.", "The agent is written without a description, except to tools that require one."

    # Policy: overrides, and what this machine allows agents to have.
    OVERRIDE_WIDER = "AS501", ERROR, "An override would let an agent do more than its author does.", "Override only to take away; to give more, change the agent itself.", "The agent is not written where the override applies; a version that was written there earlier stays."
    OVERRIDE_UNUSED = "AS502", WARNING, "An override is for an agent that no source has.", "Correct the name, or remove the override.", "The override changes nothing."
    EXCLUDED = "AS503", INFO, "The configuration or the agent's own file keeps an agent from a target.", "Nothing to do.", "The agent is not written to this target; one that was written there earlier is deleted."
    OVERLAY_UNUSABLE = "AS504", ERROR, "An overlay cannot be used.", "Correct the file, or remove it.", "The agents that it is for are not written; versions that were written earlier stay."
    HIDDEN_REFUSED = "AS505", ERROR, "The policy allows no text with characters that a reader cannot see.", "Remove the characters.", _REFUSED
    SECRET_REFUSED = "AS506", ERROR, "The policy allows no text that seems to contain a credential.", "Revoke the credential, then remove it.", _REFUSED
    HOOKS_REFUSED = "AS507", ERROR, "The agent has hooks, and the policy allows none.", 'Remove them, or let them run for this agent: `hooks = "allow"` under `[policy.agents."SOURCE/AGENT"]` in a machine\'s settings.', _REFUSED_HERE
    SERVERS_REFUSED = "AS508", ERROR, "The agent brings MCP servers of its own, and the policy allows none.", 'Configure the server in the tool, or let it start for this agent: `mcp_servers = "allow"` under `[policy.agents."SOURCE/AGENT"]` in a machine\'s settings.', _REFUSED_HERE
    MODE_REFUSED = "AS509", ERROR, "The agent sets a permission mode that the policy does not allow.", 'Remove it, or allow it for this agent: name it in `modes` under `[policy.agents."SOURCE/AGENT"]` in a machine\'s settings.', _REFUSED_HERE
    GRANT_REFUSED = "AS510", ERROR, "The agent would be given a tool that the policy does not allow.", "Name the agent's tools, and only those that the policy allows.", _REFUSED_HERE
    MODEL_REFUSED = "AS511", ERROR, "The agent asks for a model that the policy does not allow.", "Use a model that the policy allows, or none.", _REFUSED_HERE
    NAME_REFUSED = "AS512", ERROR, "The policy reserves this name.", "Rename the agent.", _REFUSED
    SIZE_REFUSED = "AS513", ERROR, "The file is over the policy's limit.", "Shorten the file.", _REFUSED
    GROWN = "AS514", WARNING, "An agent is given more than the version of it that was applied last.", "Look at the change in the source, if it was not expected.", "The new version is written."
    HELD_ESCALATION = "AS515", ERROR, "An agent would be given more than the version of it that was applied last.", "If that is intended, run `agentsync pull --allow-escalation`.", "What is here stays until the change is confirmed."
    HELD_CROWD = "AS516", ERROR, "A source has more agents than the policy allows.", "Read fewer of them with `subfolder`, `include`, `exclude`, `only` or `skip`.", "Nothing of the source is applied; its files stay."
    PROGRAM_REFUSED = "AS517", ERROR, "The agent has its tool run a program or load code, and the policy allows none.", 'Remove the key, or let the program run for this agent alone: `programs = "allow"` under `[policy.agents."SOURCE/AGENT"]` in a machine\'s settings.', _REFUSED_HERE
    ADDRESS_REFUSED = "AS518", ERROR, "The agent names a server or address for its tool, and the policy allows none.", 'Configure it in the tool, or let the tool use it for this agent alone: `addresses = "allow"` under `[policy.agents."SOURCE/AGENT"]` in a machine\'s settings.', _REFUSED_HERE
    FILE_REFUSED = "AS519", ERROR, "The agent has its tool read or write files outside the project, and the policy allows none.", 'Name files of the project, or allow others for this agent alone: `files = "allow"` under `[policy.agents."SOURCE/AGENT"]` in a machine\'s settings.', _REFUSED_HERE
    ACCEPTANCE_UNUSED = "AS520", WARNING, "An entry of `accept` matches nothing any more.", "Remove the entry, or correct its code, agents or targets.", "The entry changes nothing."
    ACCEPTANCE_EXPIRED = "AS521", WARNING, "An entry of `accept` has expired.", "Look at what it accepted; then remove the entry, or set another `until`.", "What it accepted is reported again."
    LAST_UNKNOWN = "AS523", WARNING, "The version of an agent that was applied last is no longer kept, so what the next one adds is unknown.", "Look at the agent in the source, if its file or the backups were not lost by intent.", "The new version is written; the one after it is compared with it."
    KEY_REFUSED = "AS525", ERROR, "The agent sets a key that its tool may act on in a way that agentsync does not know, and the policy does not name it.", 'Remove the key; or, if you know what it does, name it for this agent alone in `keys` under `[policy.agents."SOURCE/AGENT"]` in a machine\'s settings.', _REFUSED_HERE
    UNATTENDED_REFUSED = "AS526", ERROR, "The agent would change or send something without asking, and the policy does not allow that.", 'Remove what skips the question, or let them run for this agent: `unattended = "allow"` under `[policy.agents."SOURCE/AGENT"]` in a machine\'s settings.', _REFUSED_HERE

    # fmt: on

    def __init__(self, id_: str, severity: Severity, cause: str, remedy: str, effect: str) -> None:
        self.id = id_
        self.severity = severity
        self.cause = cause
        self.remedy = remedy
        self.effect = effect

    @property
    def slug(self) -> str:
        """The name as users see it, such as `not-an-agent`."""
        return self.name.lower().replace("_", "-")
