/*
 * "randtar SEED" writes a random tar to standard output, valid but unusual, the same for
 * the same seed. v7, ustar, pax, GNU, old GNU and star, each alone or mixed; sparse files
 * in every form; names that are repeated with another type, which replaces all that was
 * below them; hard links and whiteouts, some with data; padding that is not zero; ends of
 * every kind. Each parent of an entry and each target of a hard link exists.
 */
#include "oddtar.h"

#define STREAM    (256 * 1024) /* ovlctl reads so much at a time */
#define MAX_DATA  (3 << 19)
#define MAX_NODES 4096

/* A file of the tree made so far: d(irectory), f(ile), l (symlink to the directory "to"),
 * o(ther). */
struct node {
	char type;
	char *path, *to;
};

/* The path of an entry, and the name that the tar has for it. */
struct place {
	const char *path, *said;
};

static struct node node[MAX_NODES];
static unsigned n_nodes;

/* ---- the tree --------------------------------------------------------------------- */

static struct node *find(const char *path)
{
	for (unsigned i = 0; i < n_nodes; i++) {
		if (strcmp(node[i].path, path) == 0)
			return &node[i];
	}
	return NULL;
}

static bool inside(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return strncmp(path, dir, n) == 0 && path[n] == '/';
}

static void put(char type, const char *path, const char *to)
{
	struct node *old = find(path);

	if (type == 'd' && old && old->type == 'd')
		return;
	for (unsigned i = 0; i < n_nodes;) {
		if (strcmp(node[i].path, path) == 0 || inside(node[i].path, path))
			node[i] = node[--n_nodes];
		else
			i++;
	}
	if (n_nodes == MAX_NODES)
		exit(1);
	node[n_nodes++] = (struct node){type, strdup(path), to ? strdup(to) : NULL};
}

/* A random node of that type; NULL: none. */
static struct node *any(char type)
{
	for (unsigned tries = 0; n_nodes && tries < 50; tries++) {
		struct node *n = &node[below(n_nodes)];
		struct node *to = type == 'l' && n->to ? find(n->to) : NULL;

		if (n->type == type && (type != 'l' || (to && to->type == 'd')))
			return n;
	}
	return NULL;
}

static char *join(const char *dir, const char *name)
{
	return say("%s%s%s", dir, *dir ? "/" : "", name);
}

static char *new_name(void)
{
	static unsigned serial;
	unsigned way = (unsigned)below(24);
	char s[256];
	size_t n = 1 + below(way < 2 ? 250 : 20);

	if (way > 3)
		return say("%c%u", (char)('a' + below(26)), serial++ % 300);
	for (size_t i = 0; i < n; i++) {
		s[i] = (char)(way & 1 ? 'n' : 1 + below(255));
		if (s[i] == '/' || (!i && s[i] == '.'))
			s[i] = 'x';
	}
	s[n] = '\0';
	return strdup(s);
}

/* The directory of an entry: an existing one, one that is reached through a symlink,
 * or a new one without an entry of its own. */
static struct place pick_dir(void)
{
	struct node *n = one_in(8) ? any('l') : one_in(6) ? NULL : any('d');
	struct place p = {n ? n->path : "", n ? n->path : ""};

	if (n && n->type == 'l')
		p.path = n->to;
	if (one_in(12) && strlen(p.said) < 3000) {
		char *name = new_name();

		p.path = join(p.path, name);
		p.said = join(p.said, name);
		/* The name must not be that of a file. */
		if (find(p.path) && find(p.path)->type != 'd')
			return (struct place){"", ""};
		put('d', p.path, NULL);
	}
	return p;
}

/* A path that is new or exists. */
static struct place pick(void)
{
	struct node *n = one_in(5) && n_nodes ? &node[below(n_nodes)] : NULL;
	struct place p;
	char *name;

	if (n)
		return (struct place){strdup(n->path), strdup(n->path)};
	p = pick_dir();
	name = new_name();
	return (struct place){join(p.path, name), join(p.said, name)};
}

/* Another form of the same name. */
static const char *respell(const char *said, bool dir)
{
	const char *slash = strchr(said, '/');

	switch (below(dir ? 6 : 16)) {
	case 0: said = say("./%s", said); break;
	case 1: said = say("/%s", said); break;
	case 2: said = say("none/../%s", said); break;
	case 3:
		if (slash)
			said = say("%.*s//./%s", (int)(slash - said), said, slash + 1);
		break;
	default: break;
	}
	return dir && !one_in(4) ? say("%s/", said) : said;
}

/* ---- entries ---------------------------------------------------------------------- */

static enum style style(void)
{
	return (enum style)(dialect == STYLES ? below(STYLES) : (unsigned)dialect);
}

/* Often puts the next header just before the end of a block of the stream. */
static uint64_t size(void)
{
	static const unsigned near[] = {512, 1024, 4096, 65536, 256 * 1024, 512 * 1024};
	uint64_t n;

	switch (below(8)) {
	case 0: n = 0; break;
	case 1: n = below(600); break;
	case 2: n = below(20000); break;
	case 3:
	case 4: n = 511 + below(3); break;
	case 5: n = near[below(one_in(4) ? 6 : 4)] - 1 + below(3); break;
	case 6:
		n = STREAM - written % STREAM;
		n = n > 4 * BLOCK ? n - below(4) * BLOCK - below(2) * 100 : n;
		break;
	default: n = one_in(20) ? below(700000) : below(3000); break;
	}
	return n <= data_left ? n : below(200);
}

static void file(struct entry *e)
{
	static const enum style pax_only[] = {PAX, USTAR, STAR};

	e->type = e->style == V7 || one_in(6) ? '\0' : one_in(20) ? '7' : '0';
	e->size = size();
	if (!one_in(5))
		return;
	e->sparse = e->style == GNU || e->style == OLDGNU ? OLD :
							    (enum sparse)(2 + below(4));
	if (e->style == V7)
		e->style = pax_only[below(3)];
	e->type = e->sparse == OLD ? 'S' : '0';
	e->n_runs = (unsigned)below(one_in(3) ? MAX_RUNS : 5);
	e->size = 0;
	for (unsigned i = 0; i < e->n_runs; i++) {
		struct run *r = &e->run[i];
		bool last = i + 1 == e->n_runs;

		r->at = e->real + BLOCK * below(one_in(20) ? 1u << 28 : 200);
		r->n = BLOCK * (1 + below(4)) - (last ? below(BLOCK) : 0);
		/* In this form the tar contains the holes, so they are small. */
		if (e->sparse == SUN)
			r->at = e->real + BLOCK * below(4);
		e->real = r->at + r->n;
		e->size += r->n;
	}
	e->real += one_in(2) ? below(100000) : 0;
	/* As GNU tar: an empty run at the end, and at least one run. */
	if (e->sparse != SUN && (!e->n_runs || (e->n_runs < MAX_RUNS && one_in(2))))
		e->run[e->n_runs++] = (struct run){e->real, 0};
	if (e->sparse == SUN)
		e->size = e->real += one_in(2) ? BLOCK * 2 : 0;
}

/* A symlink to a directory of the tree, absolute or relative; or to nothing. */
static char symlink_to(struct entry *e, const struct place *p, const char **to)
{
	struct node *n = one_in(2) ? any('d') : NULL;
	struct text t = {NULL, 0};

	e->type = '2';
	add(&t, "", 0);
	if (n && (inside(n->path, p->path) || strcmp(n->path, p->path) == 0))
		n = NULL;
	if (n && one_in(2))
		add(&t, "/", 1);
	for (const char *s = p->path; n && !t.n && (s = strchr(s, '/')); s++)
		;
	if (n && !t.n) {
		for (const char *s = p->path; (s = strchr(s, '/')); s++)
			add(&t, "../", 3);
	}
	if (n)
		add(&t, n->path, strlen(n->path));
	else
		add(&t, "no/where", below(9));
	if (!t.n)
		add(&t, "x", 1);
	e->link = t;
	*to = n ? n->path : NULL;
	return n ? 'l' : 'o';
}

static void hard_link(struct entry *e, const struct place *p)
{
	struct node *n = one_in(6) ? any('o') : any('f');

	if (!n || inside(n->path, p->path)) {
		file(e);
		return;
	}
	e->type = '1';
	e->link = text(one_in(5) ? say("./%s", n->path) : n->path);
	/* Only POSIX tars may have data here. */
	if (e->style == PAX && n->type == 'f' && one_in(3)) {
		e->size = size();
		pax(&e->pax, "comment", "data");
	}
}

static char node_type(struct entry *e)
{
	if (e->style == V7)
		e->style = USTAR;
	e->type = (char)('3' + below(3));
	if (e->type == '5')
		e->type = '6';
	return 'o';
}

/* Whiteouts, opaque markers and files of AUFS, of any type, with data or not. */
static void marks(void)
{
	static const char *const ignored[] = {
		".wh..wh.aufs", ".wh..wh.plnk/1.2", ".wh..wh.orph"};
	struct entry e = {.type = '0', .style = style()};
	unsigned what = (unsigned)below(4);
	struct node *dir = any('d');
	/* Entries that are ignored must not create a directory. */
	struct place p = {dir ? dir->path : "", dir ? dir->path : ""};
	const char *name = new_name();

	if (what < 3)
		p = pick_dir();
	if (what < 2 && strlen(name) < 250)
		name = say(".wh.%s", name);
	else if (what == 2 && *p.said)
		name = ".wh..wh..opq";
	else
		name = ignored[below(3)];
	e.name = text(join(p.said, name));
	e.size = one_in(2) ? size() : 0;
	emit(&e);
}

static void one_entry(void)
{
	struct entry e = {.style = style()};
	unsigned what = (unsigned)below(20);
	const char *to = NULL;
	char type = 'f';
	struct place p;

	if (what == 19) {
		marks();
		return;
	}
	p = pick();
	if (what < 9) {
		file(&e);
	} else if (what < 13) {
		/* In v7 the trailing slash alone makes a directory, so the name must
		 * fit. */
		e.style = e.style == V7 && strlen(p.said) > 80 ? USTAR : e.style;
		e.type = e.style == V7 ? '\0' : '5';
		type = 'd';
	} else if (what < 15) {
		type = symlink_to(&e, &p, &to);
	} else if (what < 18) {
		hard_link(&e, &p);
	} else {
		type = node_type(&e);
	}
	if (e.type == '1')
		type = find(e.link.p + (strncmp(e.link.p, "./", 2) ? 0 : 2))->type;
	e.name = text(respell(p.said, type == 'd'));
	if (type == 'd' && !e.type && e.name.p[e.name.n - 1] != '/')
		add(&e.name, "/", 1);
	emit(&e);
	put(type, p.path, to);
}

/* ---- the archive ------------------------------------------------------------------ */

static void begin(void)
{
	struct entry root = {.type = '5', .style = style(), .name = text("./")};
	struct entry label = {.type = 'V', .style = GNU, .name = text("a label")};
	struct text global = {NULL, 0};

	if (dialect == GNU && one_in(3))
		emit(&label);
	if ((dialect == PAX || dialect == STYLES) && one_in(3)) {
		pax(&global, "comment", "%" PRIx64, rnd());
		extension(PAX, 'g', "pax_global_header", &global);
	}
	if (root.style != V7 && one_in(2))
		emit(&root);
}

static void end(void)
{
	unsigned way = (unsigned)below(8);

	if (way == 0)
		return;
	out_zeros(BLOCK);
	if (way == 1)
		return;
	out_zeros(BLOCK);
	if (way < 5)
		out_zeros((20 * BLOCK - written % (20 * BLOCK)) % (20 * BLOCK));
	if (way == 5)
		out_zeros(below(100 * BLOCK));
	if (way == 6)
		out_random(below(one_in(3) ? 2 * STREAM : 3 * BLOCK));
}

int main(int argc, char **argv)
{
	uint64_t seed;
	unsigned n;

	if (argc != 2 && argc != 3) {
		fputs("usage: randtar SEED [ENTRIES]\n", stderr);
		return 2;
	}
	seed = strtoull(argv[1], NULL, 10);
	state = seed * 0x2545f4914f6cdd1d;
	dialect = (int)below(STYLES + 2);
	dialect = dialect > STYLES ? STYLES : dialect;
	/* To save time, only one in five has several blocks of the stream. */
	data_left = seed % 5 ? MAX_DATA / 4 : MAX_DATA;
	n = 50 + (unsigned)below(one_in(4) ? 350 : 100);
	if (argc == 3) {
		n = (unsigned)atoi(argv[2]);
		data_left = n * 1024;
	}
	begin();
	while (n--)
		one_entry();
	end();
	return fflush(stdout) != 0;
}
