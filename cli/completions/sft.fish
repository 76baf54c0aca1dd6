# Completion of sft for fish.

function __sft_needs_command
    test (count (commandline -opc)) -eq 1
end

function __sft_command_is
    set -l words (commandline -opc)
    test (count $words) -gt 1; and contains -- $words[2] $argv
end

function __sft_meta_needs_action
    set -l words (commandline -opc)
    test (count $words) -eq 2; and test $words[2] = meta
end

complete -c sft -n __sft_needs_command -f -l version -d 'show the version'
complete -c sft -s h -l help -d 'show help'
complete -c sft -n __sft_needs_command -f -a ls -d 'a line for each tensor'
complete -c sft -n __sft_needs_command -f -a info -d 'one screen about a model'
complete -c sft -n __sft_needs_command -f -a header -d 'the JSON header as it stands'
complete -c sft -n __sft_needs_command -f -a check -d 'all rules of the format'
complete -c sft -n __sft_needs_command -f -a cat -d 'the bytes of a tensor'
complete -c sft -n __sft_needs_command -f -a meta -d 'read and edit the metadata'
complete -c sft -n __sft_needs_command -f -a diff -d 'what differs between two models'
complete -c sft -n __sft_needs_command -f -a hash -d 'a digest of each file and tensor'
complete -c sft -n __sft_needs_command -f -a scan -d 'what a checkpoint would do'
complete -c sft -n __sft_needs_command -f -a convert -d 'other formats to safetensors'
complete -c sft -n __sft_needs_command -f -a completion -d 'completion for a shell'
complete -c sft -n __sft_needs_command -f -a help -d 'help on a command'

complete -c sft -n '__sft_command_is ls info check meta diff hash scan convert' -l json -d 'print JSON'
complete -c sft -n '__sft_command_is ls' -x -l sort -a 'name size offset' -d 'choose the order'
complete -c sft -n '__sft_command_is header' -l pretty -d 'print it indented'
complete -c sft -n '__sft_command_is check' -l finite -d 'look for NaN and infinity'
complete -c sft -n '__sft_command_is check hash scan' -s q -l quiet -d 'say nothing about sound files'
complete -c sft -n '__sft_command_is scan' -l sarif -d 'print SARIF'
complete -c sft -n '__sft_command_is scan convert' -x -l allow -d 'vouch for a name'
complete -c sft -n '__sft_command_is scan convert' -r -F -l policy -d 'vouch for names'
complete -c sft -n '__sft_command_is cat' -l npy -d 'write a .npy file'
complete -c sft -n '__sft_command_is cat' -s f -l force -d 'also to a terminal'
complete -c sft -n '__sft_command_is meta diff' -s v -l verbose -d 'tell more'
complete -c sft -n '__sft_command_is diff' -l data -d 'compare the values'
complete -c sft -n '__sft_command_is diff' -l metadata -d 'compare the metadata'
complete -c sft -n '__sft_command_is hash' -s c -l check -d 'verify a manifest'
complete -c sft -n '__sft_command_is convert' -s o -r -F -l output -d 'the file or folder to make'
complete -c sft -n '__sft_command_is convert' -s f -l force -d 'replace files that exist'
complete -c sft -n '__sft_command_is convert' -x -l max-shard-size -d 'split by size'
complete -c sft -n '__sft_command_is convert' -x -l key -d 'only this part'
complete -c sft -n '__sft_command_is convert' -x -l drop-prefix -d 'shorten names'
complete -c sft -n '__sft_command_is convert' -l allow-unknown -d 'drop what nobody can vouch for'
complete -c sft -n '__sft_command_is convert' -s n -l dry-run -d 'tell what would be done'
complete -c sft -n '__sft_command_is convert' -r -F -l to-json-report -d 'write what came from where'
complete -c sft -n '__sft_command_is convert' -l durable -d 'flush to the disk'
complete -c sft -n __sft_meta_needs_action -f -a 'get set rm'
complete -c sft -n '__sft_command_is completion' -f -a 'bash zsh fish'
complete -c sft -n '__sft_command_is help' -f \
    -a 'ls info header check cat meta diff hash scan convert completion'
