# bash completion for ovlctl(8)                                    -*- shell-script -*-
#
# The program itself says what may follow (cmd/complete.c).

_ovlctl() {
	local line=${COMP_LINE:0:COMP_POINT} last
	local -a words
	read -ra words <<<"$line"
	[[ $line != *[[:space:]] ]] || words+=("")
	local cur=${words[-1]}
	# In an open quote, readline replaces all that follows it.
	local breaks=${COMP_WORDBREAKS//[^:=@]/}
	if [[ $cur == [\"\']* ]]; then
		cur=${cur:1} breaks=
		words[-1]=$cur
	fi
	mapfile -t COMPREPLY < <("${words[0]}" __complete "${words[@]:1}" 2>/dev/null)
	((${#COMPREPLY[@]})) || return
	last=${COMPREPLY[-1]}
	unset 'COMPREPLY[-1]'
	case $last in
	:file) compopt -o default ;;
	:dir) compopt -o dirnames ;;
	:list) compopt -o nospace ;;
	esac
	# Else what follows the last colon or equals sign, or begins with the last @.
	if [[ $breaks && $cur == *[$breaks]* ]]; then
		last=${cur##*["$breaks"]}
		last=${cur%"$last"}
		last=${last%@}
		COMPREPLY=("${COMPREPLY[@]#"$last"}")
	fi
}

complete -F _ovlctl ovlctl
