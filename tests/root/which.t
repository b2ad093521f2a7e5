#!/bin/sh
. "$(dirname "$0")/../lib.sh"

# Which layer a file comes from. A table of small cases, then random paths of random stacks
# compared with what a mount shows (WHICH_STACKS of them; 100 are 2,000 paths).
: "${WHICH_STACKS:=$(short && echo 8 || echo 25)}"

# ---- a table ------------------------------------------------------------------------

tar_of a.tar <<'E'
dir name=d mtime=1
file name=d/f data=one mtime=1
file name=d/g data=g mtime=1
file name=same data=s mtime=1
file name=mode data=s mtime=1
file name=owner data=s mtime=1
file name=xattr data=s mtime=1
file name=time data=s mtime=1
file name=data data=s mtime=1
file name=size data=s mtime=1
file name=many data=s mtime=1
symlink name=target link=x mtime=1
symlink name=rel link=d
symlink name=abs link=/d
symlink name=d/up link=../d/../../../d/g
symlink name=out link=../../../d
symlink name=dangling link=nowhere
symlink name=loop link=loop
symlink name=loop1 link=loop2
symlink name=loop2 link=/loop1
file name=tofile data=1
dir name=todir
file name=fromdir/x data=1
file name=gone data=1
file name=gonedir/x data=1
file name=back data=1
dir name=op mtime=1
file name=op/in data=1
file name=op/stays data=1 mtime=1
dir name=mv
file name=mv/x data=x
dir name=mv/sub
file name=mv/sub/y data=y
dir name=mv2
file name=mv2/x data=x
file name=ren data=r
file name=meta data=mm
file name=metamv data=mm
end
E
tar_of b.tar <<'E'
file name=d/f data=two mtime=1
file name=same data=s mtime=1
file name=mode data=s mtime=1 mode=600
file name=owner data=s mtime=1 gid=7
file name=xattr data=s mtime=1 pax.SCHILY.xattr.user.k=v
file name=time data=s mtime=1 pax.mtime=1.5
file name=data data=t mtime=1
file name=size data=ss mtime=1
file name=many data=ss mtime=3 uid=1 mode=4755
symlink name=target link=y mtime=1
dir name=tofile
file name=todir data=1
file name=fromdir data=1
file name=.wh.gone
file name=.wh.gonedir
file name=.wh.back
file name=.wh.nothing
dir name=op mtime=1
file name=op/.wh..wh..opq
file name=op/stays data=1 mtime=1
file name=only data=1
end
E
need - ovlctl import -n a a.tar
need - ovlctl import -n b -p a b.tar
need - ovlctl create -n w b
table=redirects
as_user && table=plain || opts='-o redirect_dir=on,metacopy=on'
need m ovlctl mount ${opts-} w
echo again >"$m/back"
rm "$m/op/stays"
echo longer >"$m/d/g"
echo new >"$m/d/new"
if [ $table = redirects ]; then
	chmod 700 "$m/meta"
	perl -e 'rename("$ARGV[0]/mv", "$ARGV[0]/d/to") && rename("$ARGV[0]/d/to/sub", "$ARGV[0]/d/to/sub2") or die' "$m" ||
		stop rename
	mkdir "$m/fresh" # is opaque, and what is moved into it is not
	perl -e 'rename "$ARGV[0]/mv2", "$ARGV[0]/fresh/mv" or die' "$m" || stop rename
	chmod 700 "$m/metamv" && mv "$m/metamv" "$m/metamv2" && mv "$m/ren" "$m/ren2"
fi

# PATH|LAYER, or none and who deleted it|the output of -a
sed '/^$/d' >cases <<'E'
d/f|b|b data;a added
/d/f|b|b data;a added
/d/g|w|w data,time;a added
same|b|b -;a added
mode|b|b mode;a added
owner|b|b owner;a added
xattr|b|b xattr;a added
time|b|b time;a added
data|b|b data;a added
size|b|b data;a added
many|b|b data,mode,owner,time;a added
target|b|b data;a added
only|b|b added
tofile|b|b type;a added
tofile/|b|b type;a added
todir|b|b type;a added
fromdir|b|b type;a added
fromdir/x|-b|b deleted;a added
gone|-b|b deleted;a added
gone/more|-|
gonedir/x|-b|b deleted;a added
nothing|-|
back|w|w added;b deleted;a added
op/in|-b|b opaque;a added
op/stays|-w|w deleted;b -;a added
rel|a|a added
rel/|w|w time;b -;a added
rel/f|b|b data;a added
abs/f|b|b data;a added
abs/.|w|w time;b -;a added
abs/up|a|a added
rel/up/|-|
out/f|b|b data;a added
/../..//d/./../d/f|b|b data;a added
d/f/..|-|
d/f/|-|
none/../d/f|-|
gonedir/../d/f|-b|b deleted;a added
dangling|a|a added
dangling/|-|
loop|a|a added
loop/x|-|
loop1/|-|
E
[ $table = plain ] || cat >>cases <<'E'
meta|w|w mode;a added
mv/x|-w|w deleted;a added
d/to|w|w added;a added
d/to/x|a|a added
d/to/sub2|w|w added;a added
d/to/sub2/y|a|a added
fresh|w|w added
fresh/mv|w|w added;a added
fresh/mv/x|a|a added
mv2/x|-w|w deleted;a added
d/to/sub/y|-w|w deleted;a added
metamv2|w|w added;a added
metamv|-w|w deleted;a added
ren2|w|w added;a added
E
# In overlay, files hidden by an opaque directory do not exist, and directories that did not
# change come from below.
if is_overlay; then
	sed -i '/^op\/in/s/opaque/deleted/; s/;b -;/;/' cases
	sed -i '/^op\/stays/s/;a/;b -;a/' cases
fi
cut -d'|' -f1 cases | tr '\n' '\0' >paths
awk -F'|' '$2 !~ /^-/ { print $2, $1 }' cases >want.first
awk -F'|' '{ n = split($3, l, ";"); for (i = 1; i <= n; i++) print l[i], $1 }' cases >want.all
# Twice: mounted, and not.
for when in mounted 'not mounted'; do
	xargs -0 ovlctl which w <paths >got.first 2>err
	is "the table: exit status ($when)" $? 123
	same "... which layer" got.first want.first
	xargs -0 ovlctl which -a w <paths >got.all 2>err.all
	same "... all layers" got.all want.all
	same "... errors" err.all err
	ovlctl umount w 2>/dev/null
done
awk -F'|' '$2 ~ /^-/ { print $1, substr($2, 2) }' cases >want.err
is "... an error for each that does not exist" "$(wc -l <err)" "$(wc -l <want.err)"
is "... which says who deleted it" \
	"$(sed -n "s/^ovlctl: which: '\(.*\)' does not exist in layer 'w': layer '\(.*\)' .*/\1 \2/p" err)" \
	"$(grep -v ' $' want.err)"
is "... or that nobody did" "$(grep -c "'w', nor in any below it$" err)" 4
is "... or why not" "$(grep 'cannot look up' err | sed 's/.*: //' | sort | uniq -c | sed 's/  *//' | tr '\n' ' ')" \
	"3 Not a directory 2 Too many levels of symbolic links "
seq 41 | sed 's/\(.*\)/printf "symlink name=l%d link=l%d\\n" \1 $((\1 - 1))/' | sh >links
printf 'dir name=l0\n%s\nend\n' "$(cat links)" | tar_of l.tar
need - ovlctl import -n l l.tar
need m ovlctl mount l
for i in 40 41; do
	is "a chain of $i symlinks" "$(ovlctl which l l$i/. >/dev/null 2>&1; echo $?)" \
		"$(stat "$m/l$i/." >/dev/null 2>&1; echo $?)"
done
ovlctl umount l
fails 1 "which: 'gone' does not exist in layer 'w': layer 'b' deleted it" "one that was deleted" \
	ovlctl which w gone
is "the root" "$(ovlctl which w / . // d/..)" "$(printf 'w /\nw .\nw //\nw d/..')"
fails 3 "no such layer 'x'" "no such layer" ovlctl which x /
fails 2 "operand 3 is empty" "an empty path" ovlctl which w d ''
fails 2 "-J and -z cannot be used together" "-J -z" ovlctl which -J -z w d
fails 2 "" "no path" ovlctl which w
ida=$(ovlctl show a | jq -r '.layers[0].id')
is "of an image layer" "$(ovlctl which b d/f d/g)" "$(printf 'b d/f\na d/g')"
is "by its id" "$(ovlctl which "$(ovlctl ls -q a)" d)" "a d"
need - ovlctl tag -d a
is "a layer without a name" "$(ovlctl which b d/g)" "$(echo "$ida" | cut -c1-12) d/g"
need - ovlctl tag "$ida" a
need - ovlctl tag a 2

# ---- JSON, hostile names ------------------------------------------------------------

idw=$(ovlctl show w | jq -r '.layers[0].id')
is "-J" "$(ovlctl which -J w d/g gone 2>/dev/null | command jq -c .)" \
	"{\"paths\":[{\"path\":\"d/g\",\"layers\":[{\"id\":\"$idw\",\"names\":[\"w\"],\"what\":[\"data\",\"time\"]}]},{\"path\":\"gone\",\"layers\":[]}]}"
is "-a -J" "$(ovlctl which -aJ w gone 2>/dev/null | jq -c '.paths[0].layers[] | [.names, .what]' | tr '\n' ' ')" \
	'[["b"],["deleted"]] [["2","a"],["added"]] '
is "... the ids" "$(ovlctl which -aJ w d/g | jq -r '.paths[].layers[].id')" "$(printf '%s\n%s' "$idw" "$ida")"
printf 'file name=new\\nline data=1\nfile name=esc\\x1b[31m data=1\nfile name=latin\\xe9 data=1\nfile name=b\\\\s\\sb data=1\nend\n' |
	tar_of h.tar
need - ovlctl import -n h h.tar
set -- "$(printf 'new\nline')" "$(printf 'esc\033[31m')" "$(printf 'latin\351')" 'b\s b'
is "odd bytes are escaped" "$(ovlctl which h "$@")" \
	"$(printf '%s\n' 'h new\012line' 'h esc\033[31m' 'h latin\351' 'h b\\s b')"
is "... with -z they are not" "$(ovlctl which -z h "$@" | tr '\0' '|')" "$(printf 'h %s|' "$@")"
is "... in JSON exact" "$(ovlctl which -J h "$3" | jq -r '.paths[0].path_raw' | base64 -d)" "$3"
fails 1 "'esc.033.31m/x' does not exist|Not a directory" "... in errors" ovlctl which h "$2/x"
mkdir -p "on $1/d"
echo 1 >"on $1/d/f"
echo 1 >"on $1/g"
need - ovlctl create -n on --on "on $1"
need m ovlctl mount on
echo 22 >"$m/g"
ovlctl umount on
is "on a directory" "$(ovlctl which -z on d/f g | tr '\0' '|')" "$T/on $1 d/f|on g|"
is "... all" "$(ovlctl which -a on g)" "$(printf '%s\n' 'on data,time g' "$T/on new\\012line added g")"
is "... as JSON" "$(ovlctl which -J on d/f | jq -c '.paths[0].layers[0] | [.id, .dir, .names]')" \
	"[null,\"$T/on new\\nline\",[]]"
mv "on $1" moved
fails 1 "cannot open '.*', the directory of layer" "... which is gone" ovlctl which on d/f

# ---- other forms of hiding ----------------------------------------------------------

printf 'file name=.wh..wh..opq\nfile name=f data=3\nend\n' | tar_of top.tar
need - ovlctl import -n top -p b top.tar
hides=opaque how='hides it by an opaque directory'
! is_overlay || hides=deleted how='deleted it'
is "a layer that hides all below" "$(ovlctl which -a top f only 2>err)" \
	"$(printf '%s\n' 'top added f' "top $hides only" 'b added only')"
is "... is named" "$(cat err)" "ovlctl: which: 'only' does not exist in layer 'top': layer 'top' $how"
if ! is_overlay; then
	# Whiteouts as xattrs, since Linux 6.7.
	printf 'file name=x/f data=1\nfile name=x/g data=1\nend\n' | tar_of x.tar
	printf 'file name=x/g mode=0\nend\n' | tar_of y.tar
	need - ovlctl import -n x x.tar
	need - ovlctl import -n y -p x y.tar
	as_user && p=user || p=trusted
	need - setfattr -n $p.overlay.opaque -v x "$(tree_of y)/x"
	need - setfattr -n $p.overlay.whiteout "$(tree_of y)/x/g"
	is "a whiteout as an xattr" "$(ovlctl which -a y x/g x/f 2>/dev/null)" \
		"$(printf '%s\n' 'y deleted x/g' 'x added x/g' 'x added x/f')"
fi

# ---- random stacks ------------------------------------------------------------------

# Each layer has its own time for what it writes. By that and by everything else that a mount
# shows, the file must be the one in the layer that is printed.
cat >random <<'E'
use strict;
use Fcntl ':mode';
my ($stacks, $overlay, $plain) = @ARGV;
my ($paths, $there, $bad, %from) = (0, 0, 0);
my $now = 1700000000;	# what is later was written through the mount
srand($ENV{WHICH_SEED} // 7);

sub wrong { print "wrong: @_\n"; exit 1 if ++$bad > 5 }
sub pick { $_[rand @_] }
sub path { join '/', map { pick 'a' .. 'd' } 0 .. rand 3 }
sub run { system(@_) == 0 or die "@_" }

# A tar of layer n, without conflicts between its entries.
sub tar {
	my ($n) = @_;
	my (%is, @line);
	for my $i (1 .. 12) {
		my $p = path();
		my $t = 1000000 * $n + $i;
		my $kind = pick qw(file file file dir link gone opaque);
		my @up = split m{/}, $p;
		my $dir = '';
		my $fits = !$is{$p} && !grep { m{^\Q$p\E/} } keys %is;
		for (@up[0 .. $#up - 1]) {
			$dir .= $dir eq '' ? $_ : "/$_";
			$fits = 0 if ($is{$dir} // 'dir') ne 'dir';
		}
		next if !$fits && $kind ne 'opaque';
		next if $kind eq 'opaque' && ($is{$p} // '') ne 'dir';
		my $at = "mtime=$t mode=" . pick(600, 644, 700, 755);
		push @line, "file name=$p data=$n.$i $at" if $kind eq 'file';
		push @line, "dir name=$p $at" if $kind eq 'dir';
		push @line, "symlink name=$p link=" . pick('../', '/', '', './') . path() . " mtime=$t" if $kind eq 'link';
		(my $w = $p) =~ s{([^/]*)$}{.wh.$1};
		push @line, "file name=$w" if $kind eq 'gone';
		push @line, "file name=$p/.wh..wh..opq" if $kind eq 'opaque';
		$is{$p} = $kind if $kind ne 'opaque';
		$dir = '';
		$is{$dir .= $dir eq '' ? $_ : "/$_"} //= 'dir' for @up[0 .. $#up - 1];
	}
	return join "\n", @line, "end\n";
}

# All names below the working directory.
sub names {
	my @all = @_;
	for my $dir (@_) {
		opendir my $d, $dir eq '' ? '.' : $dir or next;
		push @all, map { names($dir eq '' ? $_ : "$dir/$_") } sort grep { !/^\.\.?$/ } readdir $d
			unless -l $dir;
	}
	return @all;
}

sub work {
	my ($m) = @_;
	chdir $m or die;
	for (1 .. 15) {
		my @all = grep { $_ ne '' } names('');
		my $what = pick qw(write chmod remove rename rename rename mkdir link rmdir);
		@all = grep { -d && !-l } @all if $what eq 'rename' && rand() < 0.8;
		my $p = pick @all;
		my $new = path();
		next unless defined $p;
		if ($what eq 'write' && open my $f, '>', -f $p && !-l $p ? $p : $new) { print $f rand }
		if ($what eq 'chmod' && !-l $p) { chmod 0711, $p; utime undef, undef, $p }
		unlink $p if $what eq 'remove';
		# A file that is not replaced by a rename is copied up with its time.
		if ($what eq 'rename' && !-l $p && rename $p, $new) { -d $new or utime undef, undef, $new }
		mkdir $new if $what eq 'mkdir';
		symlink pick('/', '') . path(), $new if $what eq 'link';
		run 'rm', '-rf', $p if $what eq 'rmdir' && -d $p && !-l $p;
	}
	chdir '/';
}

sub read_all {
	my ($p) = @_;
	return readlink $p if -l $p;
	open my $f, '<', $p or return "$!";
	local $/;
	return <$f> // '';
}

# What there is to a file; of a directory not what is in it.
sub facts {
	my ($p, $data) = @_;
	my @s = lstat $p or return "none";
	my $same = join ' ', @s[2, 4, 5, 9];
	$same .= ' ' . $s[7] . ' ' . ($data ? read_all($p) : '') unless S_ISDIR($s[2]);
	return $same;
}

# Asks the kernel, chrooted: the real path and the facts of each path, or none.
sub ask {
	my ($m, @path) = @_;
	open(my $answer, '-|') // die or do {
		chroot $m or die;
		for (@path) {
			chdir '/' or die;
			my $full = m{^/} ? $_ : "/$_";
			my @s = lstat $full;
			my $real = '';
			if (@s && S_ISDIR($s[2])) {
				# It is itself its real path.
				chdir $full or die "$full: $!";
				$real = Cwd::getcwd();
			} elsif (@s) {
				(my $dir = $full) =~ s{/*[^/]*$}{};
				(my $base = $full) =~ s{.*/}{};
				chdir($dir eq '' ? '/' : $dir) or die "$full: $!";
				$real = Cwd::getcwd();
				$real = '' if $real eq '/';
				$real .= "/$base";
			}
			print join("\t", $real, @s ? (S_ISDIR($s[2]) ? 'd' : S_ISLNK($s[2]) ? 'l' : 'f') : '-', $s[9] // '',
				@s ? facts($full, 1) : 'none'), "\0";
		}
		exit 0;
	};
	local $/;
	return map { [split /\t/, $_, -1] } split /\0/, <$answer>;
}

sub which {
	open my $w, '-|', 'sh', '-c', 'exec ovlctl which "$@" 2>/dev/null', 'sh', @_ or die;
	local $/;
	return split /\0/, <$w> // '';
}

sub stack {
	my ($s) = @_;
	my $n = 1 + int rand 5;
	for my $i (1 .. $n) {
		open my $tar, '>', 'lines' or die;
		print $tar tar($i);
		close $tar;
		my $on = $i > 1 ? "-p s$s/" . ($i - 1) : '';
		run "mktar <lines | ovlctl -q --sync=none import -n s$s/$i $on - >/dev/null";
	}
	run "ovlctl create -n s$s/w s$s/$n >/dev/null";
	my @opts = $plain ? '' : ('', '-o redirect_dir=on', '-o metacopy=on', '-o redirect_dir=on,metacopy=on');
	my $m = `ovlctl mount @{[pick @opts]} s$s/w`;
	chomp $m;
	my $cwd = Cwd::getcwd();
	work($m) if rand() < 0.8;
	my @all = (chdir($m), names(''))[1 .. 10000];
	@all = grep { defined } @all;
	chdir $cwd or die;
	my %once;
	my @path = grep { !$once{$_}++ } map {
		my $p = rand() < 0.6 ? pick @all : path();
		$p =~ s{/}{pick '/', '/', '/', '//', '/./', '/../' . pick('a' .. 'd') . '/'}ge;
		$p = pick('', '', '/', '../') . $p . pick('', '', '', '', '/', '/.');
		$p eq '' ? '/' : $p
	} 1 .. 20;
	my @real = ask($m, @path);
	run "ovlctl umount s$s/w";
	my %tree;
	for ('w', 1 .. $n) {
		chomp(my $t = `ovlctl ls -nr -o PATH s$s/$_`);
		$tree{$_} = $t . '/' . ($overlay ? ($_ eq 'w' ? 'upper' : 'root') : 'diff');
	}
	my @got = which('-z', "s$s/w", @path);
	my @all_of = which('-a', '-z', "s$s/w", @path);
	my $at = 0;
	for my $i (0 .. $#path) {
		my ($real, $type, $time, $facts) = @{$real[$i]};
		my $p = $path[$i];
		my $where = "stack $s, path $p ($real, $type)";
		my @story;
		while ($at < @all_of && $all_of[$at] =~ m{^s$s/(\w+) (\S+) \Q$p\E$}) {
			push @story, [$1, $2];
			$at++;
		}
		$paths++;
		if ($type eq '-') {
			wrong "$where: does not exist, but is told of: @{$story[0]}"
				if @story && $story[0][1] !~ /^(deleted|opaque)$/;
			next;
		}
		$there++;
		my $line = shift @got // '';
		my ($name) = $line =~ m{^s$s/(\w+) \Q$p\E$};
		if (!$name || !@story) {
			wrong "$where: got '$line'";
			next;
		}
		wrong "$where: the first of all is @{$story[0]}, not $name" unless $story[0][0] eq $name;
		wrong "$where: the last of all is @{$story[-1]}" unless $story[-1][1] eq 'added';
		$from{$name eq 'w' ? 'w' : 'image'}++;
		# By the time that the layer alone gives.
		my $by = $time >= $now ? 'w' : int($time / 1000000);
		# A metacopied file has its data in another layer.
		my $meta = $name eq 'w' && !$plain && $type eq 'f';
		$facts = join ' ', (split / /, $facts)[0 .. 4], '' if $meta;
		my $have = facts("$tree{$name}$real", !$meta);
		next if $have eq $facts;
		# With a redirect it has another name there.
		chdir $tree{$name} or die;
		my $elsewhere = $name ne 'w' && !$plain && grep { $_ ne '' && facts($_, 1) eq $facts } names('');
		chdir $cwd or die;
		wrong "$where: mounted '$facts', in $name '$have'" unless $elsewhere;
		$from{moved}++;
	}
	wrong "stack $s: too much: @got" if @got;
}

require Cwd;
stack($_) for 1 .. $stacks;
print "few exist: $there of $paths\n" if $there < $paths / 4;
print "none of a $_\n" for grep { !$from{$_} } 'w', 'image', $stacks >= 25 && !$plain ? 'moved' : ();
print STDERR "# $paths paths, $there exist, ", join(', ', map { "$_ $from{$_}" } sort keys %from), "\n";
E
is "random paths of $WHICH_STACKS random stacks" "$(perl random "$WHICH_STACKS" "$(is_overlay && echo 1)" "$(as_user && echo 1)")" ""

done_testing
