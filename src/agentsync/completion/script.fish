# What completes `agentsync` in fish.
function _agentsync_completion
    set -l words (commandline -opc)
    set -l program $words[1]
    set -e words[1]
    for answer in (env _AGENTSYNC_COMPLETE=fish $program $words (commandline -ct) 2>/dev/null)
        switch $answer
            case ':file'
                __fish_complete_path (commandline -ct)
            case ':directory'
                __fish_complete_directories (commandline -ct)
            case '*'
                echo $answer
        end
    end
end
complete --no-files --keep-order --command agentsync --arguments '(_agentsync_completion)'
