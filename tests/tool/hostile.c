/*
 * Imports hostile archives, and prints "ok WHAT" or "bad WHAT: WHY" for each:
 *
 *	hostile [OPTION]... table		cases, one on each line of standard input
 *	hostile [OPTION]... cut FILE LIST	FILE, cut off at each offset of the list
 *	hostile [OPTION]... flip FILE STEP ID	FILE with one byte changed, each STEP bytes
 *
 * The options are -m KB and -g DIR.
 *
 * A case is "WHAT | MEMBER; MEMBER... ! PATTERN" or "... -> TREE". The members are lines
 * for mktar(1), without "end". Import must refuse the archive with a message that matches
 * the pattern, or accept it and make the tree. "[OPTION...]" before WHAT is passed to
 * import.
 *
 * In any case, import must exit (not die of a signal), its CPU time and memory (-m) must
 * be limited, whatever sizes the archive claims, and a message is one line without
 * control bytes. The trees -g must not change, not even a time stamp. The store must be
 * as before, after a refusal at once, otherwise when the layer has been removed. The tar
 * of an accepted layer must come back bit for bit, and "check --content" must find no
 * damage.
 *
 * TREE: see showtree.h.
 * LIST: offsets at which an archive may end; "N+": anywhere from N on.
 * ID: the id that an accepted layer must have; "any".
 */
#include <errno.h>
#include <locale.h>
#include <regex.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <wchar.h>

#include "showtree.h"
#include "snap.h"

#define ARCHIVE     "hostile.tar"
#define CPU_SECONDS 20
#define MAX_GUARDS  8

static const char *guard[MAX_GUARDS];
static uint64_t guarded[MAX_GUARDS];
static unsigned n_guards;
static long max_kb;
static uint64_t store_before;

/* The command that ran last. */
static struct {
	int status;
	long kb;
	char out[4096];
	char err[8192];
} last;

static void die(const char *what)
{
	perror(what);
	exit(2);
}

/* ---- running ---------------------------------------------------------------------- */

static void slurp(int fd, char *to, size_t size)
{
	ssize_t n = pread(fd, to, size - 1, 0);

	to[n < 0 ? 0 : n] = '\0';
	close(fd);
}

static void child(const char *const argv[], int in, int out, int err)
{
	const struct rlimit cpu = {CPU_SECONDS, CPU_SECONDS + 1};
	const struct rlimit none = {0, 0};

	setrlimit(RLIMIT_CPU, &cpu);
	setrlimit(RLIMIT_CORE, &none);
	if (in >= 0)
		dup2(in, 0);
	dup2(out, 1);
	if (err >= 0)
		dup2(err, 2);
	execvp(argv[0], (char *const *)(uintptr_t)argv);
	_exit(127);
}

static void run(const char *const argv[])
{
	int out = memfd_create("out", MFD_CLOEXEC);
	int err = memfd_create("err", MFD_CLOEXEC);
	struct rusage ru;
	pid_t pid = fork();

	if (pid == 0)
		child(argv, -1, out, err);
	if (pid < 0 || wait4(pid, &last.status, 0, &ru) < 0)
		die("fork");
	last.kb = ru.ru_maxrss;
	slurp(out, last.out, sizeof(last.out));
	slurp(err, last.err, sizeof(last.err));
}

#define RUN(...) run((const char *[]){__VA_ARGS__, NULL})

static void make_archive(const char *lines)
{
	int to[2];
	int fd = open(ARCHIVE, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int status;
	size_t left = strlen(lines);
	pid_t pid;

	if (fd < 0 || pipe2(to, O_CLOEXEC) < 0)
		die(ARCHIVE);
	pid = fork();
	if (pid == 0)
		child((const char *[]){"mktar", NULL}, to[0], fd, -1);
	close(to[0]);
	while (left) {
		ssize_t n = write(to[1], lines, left);

		if (n < 0)
			die("mktar");
		lines += n;
		left -= (size_t)n;
	}
	close(to[1]);
	if (waitpid(pid, &status, 0) < 0 || status)
		die("mktar failed");
	close(fd);
}

/* ---- what must hold --------------------------------------------------------------- */

static bool failed;
static char why[9000];

__attribute__((format(printf, 1, 2))) static void bad(const char *fmt, ...)
{
	va_list ap;

	if (failed)
		return;
	failed = true;
	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	for (char *p = why; *p; p++) {
		if (*p == '\n')
			*p = ' ';
		else if ((unsigned char)*p < ' ')
			*p = '?';
	}
}

static uint64_t store_now(void)
{
	return snap_tree(AT_FDCWD, getenv("OVLCTL_ROOT"), 0, false);
}

static void check_guards(void)
{
	for (unsigned i = 0; i < n_guards; i++) {
		if (snap_tree(AT_FDCWD, guard[i], 0, true) != guarded[i])
			bad("%s has changed", guard[i]);
	}
}

/* Is it safe to print on a terminal? */
static bool printable(const char *text)
{
	mbstate_t state = {0};
	wchar_t c;

	while (*text) {
		size_t n = mbrtowc(&c, text, strlen(text), &state);

		if (n == (size_t)-1 || n == (size_t)-2)
			return false;
		if (c != '\n' && (c < 0x20 || (c >= 0x7f && c < 0xa0)))
			return false;
		text += n;
	}
	return true;
}

static unsigned lines_of(const char *text)
{
	unsigned n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static bool matches(const char *pattern, const char *text)
{
	regex_t re;
	bool yes;

	if (regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB) != 0)
		die(pattern);
	yes = regexec(&re, text, 0, NULL, 0) == 0;
	regfree(&re);
	return yes;
}

static void check_run(void)
{
	if (WIFSIGNALED(last.status))
		bad("signal %d", WTERMSIG(last.status));
	else if (WEXITSTATUS(last.status) > 1)
		bad("exit %d: %s", WEXITSTATUS(last.status), last.err);
	if (max_kb && last.kb > max_kb)
		bad("%ld KB of memory", last.kb);
	if (!printable(last.err))
		bad("not for terminals: %s", last.err);
	if (lines_of(last.err) != (last.status != 0) &&
		!matches("^ovlctl: import: warning: [^\n]*\n$", last.err))
		bad("not one line: %s", last.err);
}

static void check_refused(const char *pattern)
{
	if (last.status == 0) {
		bad("was taken");
		last.out[strcspn(last.out, "\n")] = '\0';
		RUN("ovlctl", "rm", last.out);
		return;
	}
	if (*last.out)
		bad("output: %s", last.out);
	if (!matches("^ovlctl: import: '", last.err) || !matches(pattern, last.err))
		bad("said: %s", last.err);
	if (store_now() != store_before)
		bad("the store has changed");
}

static void check_tree(const char *id, const char *want)
{
	char path[4096];
	char *text = NULL;
	size_t size;
	int fd;

	snprintf(path, sizeof(path), "%s/%s/%s/%s", getenv("OVLCTL_ROOT"), getenv("DRV"),
		id, getenv("TREE"));
	fd = open(path, O_RDONLY | O_DIRECTORY);
	tree = open_memstream(&text, &size);
	show_tree(fd, "");
	close(fd);
	fclose(tree);
	if (strcmp(text, want) != 0)
		bad("is %s, not %s", text, want);
	free(text);
}

/* ---- taken ------------------------------------------------------------------------ */

static void check_exact(const char *id)
{
	int out = memfd_create("tar", MFD_CLOEXEC);
	struct stat a;
	struct stat b;
	int fd = open(ARCHIVE, O_RDONLY | O_CLOEXEC);
	pid_t pid = fork();
	int status;
	char *x;
	char *y;

	if (pid == 0)
		child((const char *[]){"ovlctl", "diff", "--tar", id, NULL}, -1, out, -1);
	if (waitpid(pid, &status, 0) < 0 || fstat(fd, &a) < 0 || fstat(out, &b) < 0)
		die("diff");
	if (status || a.st_size != b.st_size) {
		bad("its tar does not come back");
	} else {
		x = mmap(NULL, (size_t)a.st_size, PROT_READ, MAP_SHARED, fd, 0);
		y = mmap(NULL, (size_t)b.st_size, PROT_READ, MAP_SHARED, out, 0);
		if (x == MAP_FAILED || y == MAP_FAILED)
			die("mmap");
		if (memcmp(x, y, (size_t)a.st_size) != 0)
			bad("another tar comes back");
		munmap(x, (size_t)a.st_size);
		munmap(y, (size_t)b.st_size);
	}
	close(out);
	close(fd);
}

/* id ends at the newline. */
static void remove_layer(char *id)
{
	RUN("ovlctl", "rm", id);
	if (last.status)
		bad("cannot be removed: %s", last.err);
	if (store_now() != store_before)
		bad("when it was removed the store was not as before");
}

static char *taken_id(void)
{
	static char id[66];

	if (last.status || strlen(last.out) != 65 || last.out[64] != '\n') {
		bad("refused: %s", last.err);
		return NULL;
	}
	memcpy(id, last.out, 64);
	return id;
}

static void check_taken(const char *want)
{
	char *id = taken_id();

	if (!id)
		return;
	check_tree(id, want);
	check_exact(id);
	RUN("ovlctl", "check", "--content");
	if (last.status)
		bad("check: %s%s", last.out, last.err);
	remove_layer(id);
}

/* ---- the table -------------------------------------------------------------------- */

static int verdict(const char *what)
{
	check_guards();
	if (failed)
		printf("bad %s: %s\n", what, why);
	else
		printf("ok %s\n", what);
	fflush(stdout);
	return failed;
}

static char *trim(char *s)
{
	size_t n;

	s += strspn(s, " \t");
	n = strlen(s);
	while (n && isspace((unsigned char)s[n - 1]))
		s[--n] = '\0';
	return s;
}

static char *cut(char *s, const char *mark)
{
	char *at = strstr(s, mark);

	if (!at)
		return NULL;
	*at = '\0';
	return trim(at + strlen(mark));
}

/* "[--max-depth 2] WHAT" */
static char *take_options(char *what, const char *argv[], unsigned n)
{
	char *end = *what == '[' ? strchr(what, ']') : NULL;

	if (!end)
		return what;
	*end = '\0';
	for (char *word = strtok(what + 1, " "); word; word = strtok(NULL, " "))
		argv[n++] = word;
	return trim(end + 1);
}

static void one_case(char *line)
{
	const char *argv[16] = {"ovlctl", "--sync=none", "import", ARCHIVE};
	char *what = trim(line);
	char *members = cut(what, " | ");
	char *tree_wanted = members ? cut(members, " ->") : NULL;
	char *pattern = members && !tree_wanted ? cut(members, " ! ") : NULL;
	char *lines = NULL;

	if (!members || (!tree_wanted && !pattern))
		die(what);
	what = take_options(trim(what), argv, 4);
	for (char *p = members; *p; p++) {
		if (*p == ';')
			*p = '\n';
	}
	if (asprintf(&lines, "%s\n%s", members, strstr(members, "noend") ? "" : "end\n") <
		0)
		die("memory");
	failed = false;
	make_archive(lines);
	free(lines);
	run(argv);
	check_run();
	if (pattern)
		check_refused(pattern);
	else
		check_taken(tree_wanted);
	verdict(what);
}

static void table(void)
{
	char *line = NULL;
	size_t size = 0;
	unsigned n = 0;

	while (getline(&line, &size, stdin) > 0) {
		if (*line == '#' || *trim(line) == '\0')
			continue;
		one_case(line);
		n++;
	}
	printf("ok table of %u\n", n);
}

/* ---- bytes ------------------------------------------------------------------------ */

struct bytes {
	unsigned char *p;
	size_t n;
};

static struct bytes read_file(const char *path)
{
	int fd = open(path, O_RDONLY);
	struct stat st;
	struct bytes b;

	if (fd < 0 || fstat(fd, &st) < 0)
		die(path);
	b.n = (size_t)st.st_size;
	b.p = malloc(b.n + 1);
	if (read(fd, b.p, b.n) != st.st_size)
		die(path);
	close(fd);
	b.p[b.n] = '\0';
	return b;
}

static void put_archive(const unsigned char *p, size_t n)
{
	int fd = open(ARCHIVE, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || write(fd, p, n) != (ssize_t)n)
		die(ARCHIVE);
	close(fd);
}

/* Is the archive accepted? If so, the layer is removed, and id is its id. */
static bool try(char id[65])
{
	char *got;

	RUN("ovlctl", "--sync=none", "import", ARCHIVE);
	check_run();
	if (last.status) {
		check_refused("");
		return false;
	}
	got = taken_id();
	if (!got)
		return false;
	memcpy(id, got, 64);
	id[64] = '\0';
	remove_layer(got);
	return true;
}

static bool listed(const char *list, size_t n)
{
	char *end;

	while (*list) {
		size_t at = strtoul(list, &end, 10);

		if (at == n || (*end == '+' && n > at))
			return true;
		list = end + strspn(end, "+\n");
	}
	return false;
}

static void cut_all(const char *file, const char *list)
{
	struct bytes b = read_file(file);
	struct bytes ends = read_file(list);
	unsigned counts[2] = {0, 0};
	char id[65];
	char what[256];

	failed = false;
	for (size_t n = 0; n < b.n && !failed;
		n += n % 512 ? 512 - n % 512 : 1 + n * 37 % 511) {
		bool may = n && listed((char *)ends.p, n);
		bool was;

		put_archive(b.p, n);
		was = try(id);
		counts[was]++;
		if (was != may)
			bad("%s at %zu: %s", was ? "taken" : "refused", n, last.err);
	}
	snprintf(what, sizeof(what), "cut %s (%u refused, %u taken)", file, counts[0],
		counts[1]);
	verdict(what);
	free(b.p);
	free(ends.p);
}

static void flip_all(const char *file, size_t step, const char *want)
{
	struct bytes b = read_file(file);
	unsigned counts[2] = {0, 0};
	char id[65];
	char what[256];

	failed = false;
	for (size_t at = 0; at < b.n && !failed; at += step) {
		unsigned char old = b.p[at];
		bool was;

		b.p[at] ^= at / step % 2 ? 0xff : (unsigned char)(1 << at / step / 2 % 8);
		put_archive(b.p, b.n);
		was = try(id);
		counts[was]++;
		if (was && strcmp(want, "any") != 0 && strcmp(id, want) != 0)
			bad("byte %zu changed: another layer", at);
		b.p[at] = old;
	}
	snprintf(what, sizeof(what), "changed bytes of %s (%u refused, %u taken)", file,
		counts[0], counts[1]);
	verdict(what);
	free(b.p);
}

int main(int argc, char **argv)
{
	int c;

	setlocale(LC_ALL, "C.UTF-8");
	while ((c = getopt(argc, argv, "m:g:")) > 0) {
		if (c == 'm')
			max_kb = atol(optarg);
		else if (c == 'g' && n_guards < MAX_GUARDS)
			guard[n_guards++] = optarg;
	}
	for (unsigned i = 0; i < n_guards; i++)
		guarded[i] = snap_tree(AT_FDCWD, guard[i], 0, true);
	store_before = store_now();
	argv += optind;
	argc -= optind;
	if (argc == 1 && strcmp(argv[0], "table") == 0)
		table();
	else if (argc == 3 && strcmp(argv[0], "cut") == 0)
		cut_all(argv[1], argv[2]);
	else if (argc == 4 && strcmp(argv[0], "flip") == 0)
		flip_all(argv[1], strtoul(argv[2], NULL, 10), argv[3]);
	else
		die("usage");
	return 0;
}
