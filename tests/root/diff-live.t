#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# overlay: when asked

# A layer that is mounted and changes while it is walked.
mkdir -p tree/d/e
echo x >tree/d/e/x
tar -C tree -cf base.tar .
need - ovlctl import -n base base.tar
need - ovlctl create -n w base
need - ovlctl create -n other base
need m ovlctl mount w

mkdir "$m/stays"
churn() { # N
	while [ ! -e "$T/stop" ]; do
		mkdir -p "$m/t$1/a/b/c" "$m/d/e/n$1/k"
		for i in 1 2; do
			echo "$i" >"$m/t$1/a/$i"
			echo "$i" >"$m/d/e/n$1/k/$i"
			ln -s "$i" "$m/t$1/a/b/l$i"
			ln "$m/t$1/a/$i" "$m/t$1/a/b/h$i"
			setfattr -n user.k -v v "$m/t$1/a/$i"
			echo "$i" >"$m/t$1/tmp"
			mv "$m/t$1/tmp" "$m/stays/f$1"
			rm -f "$m/stays/kind$1"
			ln -s "$i" "$m/stays/kind$1"
			rm "$m/stays/kind$1"
			echo "$i" >"$m/stays/kind$1"
		done
		rm -r "$m/t$1" "$m/d/e/n$1"
	done
}
churn 1 2>/dev/null &
one=$!
churn 2 2>/dev/null &
two=$!
bad=
i=0
while [ $i -lt 50 ]; do
	ovlctl diff w >list 2>err || bad="$bad list: $(cat err);"
	ovlctl diff w other >list 2>err || bad="$bad list against a base: $(cat err);"
	ovlctl diff other w >list 2>err || bad="$bad list against it: $(cat err);"
	ovlctl diff -o live.tar w 2>err || bad="$bad tar: $(cat err);"
	tar tf live.tar >/dev/null 2>err || bad="$bad bad tar: $(cat err);"
	tar xf live.tar -C "$T" --xform 's,^,x/,' 2>err || bad="$bad bad links: $(cat err);"
	rm -rf x
	i=$((i + 1))
done
touch stop
wait $one $two
is "what goes meanwhile is passed over" "$(echo "$bad" | head -c 1000)" ""
ok "and what stays is there" sh -c 'ovlctl diff w | grep -qx "A /stays"'
ovlctl umount w

done_testing
