# What completes `agentsync` in bash.
_agentsync_completion() {
    local answer
    COMPREPLY=()
    while IFS= read -r answer; do
        case $answer in
            :file) compopt -o default 2>/dev/null ;;
            :directory) compopt -o dirnames 2>/dev/null ;;
            *) COMPREPLY+=("${answer%%$'\t'*}") ;;
        esac
    done < <(_AGENTSYNC_COMPLETE=bash "$1" "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o nosort -F _agentsync_completion agentsync 2>/dev/null || complete -F _agentsync_completion agentsync
