#compdef ovlctl
# zsh completion for ovlctl(8). The program itself says what may follow (cmd/complete.c).

local -a found
local what
# The last may have an open quote.
found=("${(@f)$(${(Q)words[1]} __complete "${(@Q)words[2,CURRENT-1]}" \
	"${(Q)${words[CURRENT]#[\"\']}}" 2>/dev/null)}")
what=${found[-1]}
found[-1]=()
case $what in
:list) compadd -S '' -- $found ;;
*) compadd -- $found ;;
esac
case $what in
:file) compset -P '--*='; _files ;;
:dir) compset -P '--*='; _path_files -/ ;;
esac
