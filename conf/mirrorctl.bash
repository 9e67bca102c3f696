# bash completion for mirrorctl(8)                          -*- shell-script -*-
#
# Verbs, options, and the names of services and volumes as mirrord of this node
# tells them; without mirrord there are none.

_mirrorctl_names ()
{
	# --names says one name in a line, and nothing when mirrord is away.
	mirrorctl names "$1" 2>/dev/null
}

_mirrorctl ()
{
	local cur=${COMP_WORDS[COMP_CWORD]} previous verb='' word words='' i
	previous=${COMP_WORDS[COMP_CWORD-1]}
	COMPREPLY=()

	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		case $word in
		-s)	i=$((i + 1)) ;;
		-*)	;;
		*)	verb=$word
			break ;;
		esac
	done

	case $previous in
	-s)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return ;;
	--severity)
		words='crit err warning notice info' ;;
	--wait|--seconds|--since|--at|--idle|--move-wait)
		return ;;
	esac

	if [ -z "$words" ]; then
		case $verb in
		'')	words=$(_mirrorctl_names verbs)
			words="$words -s --help" ;;
		check-takeover)
			words="$(_mirrorctl_names services) --fence-test --json
				--reasons" ;;
		takeover)
			words="$(_mirrorctl_names services) --accept-loss
				--wait --json" ;;
		release)
			words="$(_mirrorctl_names services) --wait --json" ;;
		service)
			words=$(_mirrorctl_names services) ;;
		giveback)
			words="$(_mirrorctl_names services) --list --at --idle
				--now --cancel --json" ;;
		trace)	words="$(_mirrorctl_names volumes) --seconds --json" ;;
		fenced|silent|verdict)
			words=$(_mirrorctl_names nodes) ;;
		log)	words='--since --severity --json' ;;
		files)	words='--sync --json' ;;
		*)	words='--json' ;;
		esac
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}

complete -F _mirrorctl mirrorctl
