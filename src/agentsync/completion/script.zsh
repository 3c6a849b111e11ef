#compdef agentsync
# What completes `agentsync` in zsh.
_agentsync() {
    local answer
    local -a answers
    for answer in "${(@f)$(_AGENTSYNC_COMPLETE=zsh $words[1] "${(@Q)words[2,CURRENT]}" 2>/dev/null)}"; do
        case $answer in
            '') ;;
            :file) _files ;;
            :directory) _files -/ ;;
            *$'\t'*) answers+=("${${answer%%$'\t'*}//:/\\:}:${answer#*$'\t'}") ;;
            *) answers+=("${answer//:/\\:}") ;;
        esac
    done
    (( ! $#answers )) || _describe -V agentsync answers
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _agentsync "$@"
else
    compdef _agentsync agentsync
fi
