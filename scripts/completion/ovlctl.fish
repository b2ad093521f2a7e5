# fish completion for ovlctl(8). The program itself says what may follow (cmd/complete.c).

function __ovlctl_complete
    set -l words (commandline -opc)
    # It may have an open quote.
    set -l typed (string replace -r '^["\']' '' -- (commandline -ct))
    set -l found ($words[1] __complete $words[2..-1] "$typed" 2>/dev/null)
    switch "$found[-1]"
        case :file
            __fish_complete_path (commandline -ct)
        case :dir
            __fish_complete_directories (commandline -ct) ''
    end
    set -q found[2]; and printf '%s\n' $found[1..-2]
end

complete -c ovlctl -f -a '(__ovlctl_complete)'
