# Completion of sft for bash.

_sft_words() {
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2")
}

_sft_files() {
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(
        compgen -d -- "$1"
        compgen -f -X '!*.@(safetensors|index.json)' -- "$1"
    )
}

_sft() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local command=${COMP_WORDS[1]}
    local commands="ls info header check cat meta diff hash scan convert completion help"
    local restore
    restore=$(shopt -p extglob)
    shopt -s extglob
    COMPREPLY=()

    if ((COMP_CWORD == 1)); then
        _sft_words "$commands --help --version" "$current"
    elif [[ $command == help ]]; then
        _sft_words "$commands" "$current"
    elif [[ $command == completion ]]; then
        _sft_words "bash zsh fish --help" "$current"
    elif [[ $command == meta ]] && ((COMP_CWORD == 2)); then
        _sft_words "get set rm --help" "$current"
    elif [[ $command == ls && $previous == --sort ]]; then
        _sft_words "name size offset" "$current"
    elif [[ $command == scan && $previous == --allow ]] ||
        [[ $command == convert && $previous == --@(allow|max-shard-size|key|drop-prefix) ]]; then
        :
    elif [[ ($command == scan || $command == convert) && $current != -* ]] ||
        [[ $command == hash && ($previous == --check || $previous == -c) ]]; then
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
    elif [[ $current == -* ]]; then
        case $command in
            ls) _sft_words "--json --sort --help" "$current" ;;
            info) _sft_words "--json --help" "$current" ;;
            header) _sft_words "--pretty --help" "$current" ;;
            check) _sft_words "--finite --json --quiet --help" "$current" ;;
            cat) _sft_words "--npy --force --help" "$current" ;;
            meta) _sft_words "--json --verbose --help" "$current" ;;
            diff) _sft_words "--data --metadata --json --verbose --help" "$current" ;;
            hash) _sft_words "--check --json --quiet --help" "$current" ;;
            convert)
                _sft_words "--output --force --max-shard-size --key --drop-prefix --allow-unknown --allow
                    --policy --dry-run --to-json-report --durable --json --help" "$current"
                ;;
            scan) _sft_words "--json --sarif --allow --policy --quiet --help" "$current" ;;
        esac
    else
        _sft_files "$current"
    fi
    $restore
}

complete -F _sft sft
