#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# overlay: as user too

# The config that commit makes is kept with the layer, inherited by layers that are built on
# it, and exported.
printf 'file name=f data=1\nend\n' | tar_of a.tar
need a ovlctl import a.tar
config_of() { # LAYER [FILTER]
	rm -rf out
	ovlctl export "$1" out >/dev/null || return
	manifest=out/blobs/$(jq -r '.manifests[0].digest' out/index.json | tr : /)
	jq -c "${2-.}" "out/blobs/$(jq -r '.config.digest' "$manifest" | tr : /)"
}
committed() { # NAME BASE OPTION...
	name=$1
	need w ovlctl create "$2"
	shift 2
	need id ovlctl commit -n "$name" "$@" "$w"
}

committed all "$a" -m 'a text' -a 'Me <me@example.org>' -c 'CMD ["a", "b"]' -c 'env A=1 B="x y"' \
	-c 'ENV A=2 C=$A-${B} D=\$A E='\''$A'\''' -c 'ENV old  two  "words" $A' -c 'EXPOSE 80 53/udp 8000-8002/tcp' \
	-c 'LABEL "a.b"="c d" e=f' -c 'USER 1:2' -c 'WORKDIR /a' -c 'WORKDIR b c/' \
	-c 'VOLUME /v "/w x"' -c 'VOLUME ["/y"]' -c 'STOPSIGNAL SIGINT' -c 'ONBUILD RUN x "y"' \
	-c 'HEALTHCHECK --interval=1m30s --timeout=500ms --start-period=1.5h --retries=3 CMD curl -f x'
wanted() { # WHAT FILTER VALUE [LAYER]
	is "$1" "$(config_of "${4-all}" "$2")" "$3"
}
wanted CMD .config.Cmd '["a","b"]'
wanted ENV .config.Env '["A=2","B=x y","C=1-x y","D=$A","E=$A","old=two  words 2"]'
wanted EXPOSE .config.ExposedPorts \
	'{"53/udp":{},"80/tcp":{},"8000/tcp":{},"8001/tcp":{},"8002/tcp":{}}'
wanted LABEL .config.Labels '{"a.b":"c d","e":"f"}'
wanted USER .config.User '"1:2"'
wanted WORKDIR .config.WorkingDir '"/a/b c"'
wanted VOLUME .config.Volumes '{"/v":{},"/w x":{},"/y":{}}'
wanted STOPSIGNAL .config.StopSignal '"SIGINT"'
wanted ONBUILD .config.OnBuild '["RUN x \"y\""]'
wanted HEALTHCHECK .config.Healthcheck \
	'{"Interval":90000000000,"Retries":3,"StartPeriod":5400000000000,"Test":["CMD-SHELL","curl -f x"],"Timeout":500000000}'
wanted "author and comment" '[.author, .comment, (.history[] | [.author, .comment])]' \
	'["Me <me@example.org>","a text",[null,null],["Me <me@example.org>","a text"]]'
is "show has it" "$(ovlctl show all | jq -r '.layers[0].config | .author, .config.User' | paste -sd' ')" \
	"Me <me@example.org> 1:2"
ok "check is content" ovlctl check --content

# On top of the config of the image below.
committed top all -c 'CMD run it' -c 'ENV A=$A.3' -c 'HEALTHCHECK NONE'
wanted "a command for a shell" .config.Cmd '["/bin/sh","-c","run it"]' top
wanted "inherited" '[.config.User, .config.Env[0], .config.Healthcheck.Test[0]]' '["1:2","A=2.3","NONE"]' top
wanted "history" '[.history[].comment]' '[null,"a text",null]' top
committed entry top -c 'ENTRYPOINT ["e"]'
wanted "an entry point takes the command below away" '[.config.Entrypoint, .config.Cmd]' '[["e"],null]' entry
committed both top -c 'CMD ["c"]' -c 'ENTRYPOINT e $X'
wanted "... not one of its own" '[.config.Entrypoint, .config.Cmd]' '[["/bin/sh","-c","e $X"],["c"]]' both
committed plain top
wanted "nothing said: all is inherited" '[.config.User, .config.Entrypoint, (.history | length)]' \
	'["1:2",null,4]' plain

committed object "$a" -c 'CMD {"a": "b"}' -c 'ENTRYPOINT {}' -c 'CMD {"a": "b"}' -c 'VOLUME {}' -c 'HEALTHCHECK CMD {}'
wanted "an object is words for a shell" '[.config.Cmd[2], .config.Entrypoint[2], .config.Healthcheck.Test[1]]' \
	'["{\"a\": \"b\"}","{}","{}"]' object
wanted "... and the name of a volume" .config.Volumes '{"{}":{}}' object

# Two images of the same layers.
committed one "$a" -c 'CMD one'
first=$id
committed two "$a" -c 'CMD two'
is "the same layers" "$id" "$first"
wanted "one" '.config.Cmd[2]' '"one"' one
wanted "two" '.config.Cmd[2]' '"two"' two
committed two "$a" -c 'CMD three'
wanted "a name for the config that it is given with" '.config.Cmd[2]' '"three"' two
wanted "... and no other" '.config.Cmd[2]' '"one"' one
ok "check is content" ovlctl check --content

# With --keep, and a new tree.
need w ovlctl create "$a"
touch "$(tree_of "$w")/g"
need id ovlctl commit --keep -c 'USER kept' "$w"
is "--keep" "$(config_of "$id" .config.User)" '"kept"'
need id env SOURCE_DATE_EPOCH=1000 ovlctl commit -c 'USER apart' -m x "$w"
is "with a new tree" "$(config_of "$id" '[.config.User, .created]')" '["apart","1970-01-01T00:16:40Z"]'
need w ovlctl create
need id ovlctl commit -m 'on nothing' "$w"
is "on nothing" "$(config_of "$id" '.history[0].comment')" '"on nothing"'

# Invalid instructions are reported before anything is done.
need w ovlctl create -n w "$a"
before=$(store_state)
while IFS='|' read -r what text; do
	[ "$what" ] || continue
	fails 2 "commit: .*: $text" "refused: $what" ovlctl commit -c "$what" w
done <<'END'
RUN x|unknown instruction; the instructions are CMD,
FROM x|unknown instruction
CMD|the instruction has no argument
  |unknown instruction
ENV A|expected NAME=VALUE
ENV A=1 B|expected NAME=VALUE
ENV =1|expected NAME=VALUE
ENV A="b|unterminated quote
ENV A=${B:-x}|only .NAME and
ENV "" b|expected NAME=VALUE
LABEL a|expected NAME=VALUE
LABEL "" b|expected NAME=VALUE
EXPOSE http|expected a port
EXPOSE 0|expected a port
EXPOSE 65536|expected a port
EXPOSE 9-8|expected a port
EXPOSE 80/foo|the protocol of a port must be tcp, udp or sctp
VOLUME [""]|the name of a volume is empty
USER a b|expected one word
STOPSIGNAL SIGFOO|expected a signal, such as SIGTERM
STOPSIGNAL 99|expected a signal
ONBUILD FROM x|this instruction cannot follow ONBUILD
HEALTHCHECK x|expected CMD COMMAND or NONE
HEALTHCHECK CMD|expected CMD COMMAND or NONE
HEALTHCHECK CMD []|expected CMD COMMAND or NONE
HEALTHCHECK --interval=5 CMD x|expected a duration
HEALTHCHECK --retries=x CMD x|expected a number
HEALTHCHECK --foo=1 CMD x|options are --interval
END
fails 2 "not valid UTF-8" "an author" ovlctl commit -a "$(printf '\377')" w
fails 2 "not valid UTF-8" "a text" ovlctl commit -m "$(printf '\377')" w
fails 2 "not valid UTF-8" "an instruction" ovlctl commit -c "$(printf 'CMD \377')" w
x=$(head -c 90000 /dev/zero | tr '\0' x)
dollars=$(head -c 50 /dev/zero | sed 's/\x00/$A/g')
fails 1 "its image config would be over 4 MiB" "a config that nobody would read" \
	ovlctl commit -c "ENV A=$x" -c "ENV B=${dollars%????????}" w
fails 2 ": with its variables it is over 4 MiB" "variables that make one long" ovlctl commit -c "ENV A=$x" -c "LABEL a=$dollars" w
is "nothing has changed" "$(store_state)" "$before"

# A commit that is killed leaves nothing of its config to the next one.
if can_trace; then
	calls_of renameat2 ovlctl commit -c 'USER probe' "$(ovlctl create "$a")" >points
	head -1 points >point
	need w2 ovlctl create "$a"
	touch "$(tree_of "$w2")/only here"
	killed_at $(cat point) ovlctl commit -c 'USER killed' "$w2" >/dev/null 2>&1
	is "killed before the step" $? 137
	need id ovlctl commit -c 'USER next' "$w2"
	is "... only the next one's config is there" "$(config_of "$id" .config.User)" '"next"'
	is "... one" "$(ovlctl show "$id" | jq '.layers[0].configs | length')" 1
fi

# A base whose history has entries for fewer or more layers than it has.
printf 'file name=b data=1\nend\n' | tar_of b.tar
history_of() { # NAME HISTORY
	image_of "$1.tar" a.tar b.tar
	mkdir x
	tar -C x -xf "$1.tar"
	jq -c ".history = $2" x/c.json >c && mv c x/c.json
	jq -c ".[0].RepoTags = [\"$1:1\"]" x/manifest.json >m && mv m x/manifest.json
	tar -C x -cf "$1.tar" .
	rm -r x
	need - ovlctl import "$1.tar"
	committed "$1:2" "$1:1"
	is "history: $1, and one more" "$(config_of "$1:2" '[.history[] | select(.empty_layer | not)] | length')" 3
	is "... as it came" "$(config_of "$1:1" '[.history // [] | .[] | select(.empty_layer | not)] | length')" "$3"
}
history_of absent null 0
history_of none '[]' 0
history_of short '[{"created_by":"one"}]' 2
history_of long '[{"created_by":"1"},{"created_by":"2","empty_layer":true},{"created_by":"3"},{"created_by":"4"}]' 2
history_of right '[{"created_by":"1"},{"created_by":"2","empty_layer":true},{"created_by":"3"}]' 2
done_testing
