/*
 * The command line. commands.c has the table of commands. Each row has a command's name,
 * arguments and requirements, from which usage, --help, the parser and the tests of the
 * manual are derived. The file of a command holds its options, one library call and the
 * output.
 */
#ifndef CMD_H
#define CMD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>

#include "ovl.h"

/* Long options without a letter. */
enum {
	OPT_LONG = 256,
	OPT_HELP,
	OPT_CONTENT,
	OPT_REPAIR,
	OPT_FROM,
	OPT_ALL,
	OPT_UNVERIFIED,
	OPT_ASIDE,
	OPT_DRY_RUN,
	OPT_LAYERS,
	OPT_WRITABLE,
	OPT_UNUSED_FOR,
	OPT_KEEP_LAST,
	OPT_KEEP_BYTES,
	OPT_AS,
	OPT_IMAGE,
	OPT_NO_NAMES,
	OPT_PLATFORM,
	OPT_EXPECT,
	OPT_MAX_SIZE,
	OPT_MAX_ENTRIES,
	OPT_MAX_DEPTH,
	OPT_FORCE,
	OPT_KEEP,
	OPT_TAR,
	OPT_COMPRESS,
	OPT_FORMAT,
	OPT_TREE,
	OPT_SORT,
	OPT_KIND,
	OPT_MKDIR,
	OPT_WITHOUT,
	OPT_ON,
	OPT_TMPFS,
	OPT_BIND,
	OPT_ID_FILE,
	OPT_FILES,
	OPT_MAX_SHADOWED
};

struct opt {
	int id; /* its letter, or one of the numbers above */
	const char *name;
	const char *arg; /* the name of its argument; NULL: none; "[=NAME]": optional */
	const char *help;
};

enum access {
	NO_STORE,
	READ_STORE, /* a missing store is read as empty */
	LIST_STORE, /* the same; OVL_LIST */
	WRITE_STORE, /* the same, but another program's store is refused */
	MAKE_STORE /* a missing store is created */
};

#define MAX_OPTS  24
#define UNLIMITED 1000000

struct run;

struct cmd {
	const char *name;
	const char *synopsis; /* options and operands; lines for more than one form */
	const char *summary;
	const char *more; /* a sentence that --help adds; or NULL */
	/* The command's names in other programs, separated by blanks; or NULL. */
	const char *others;
	/* Kinds of its operands for complete.c, separated by blanks; the last one applies
	 * to all that follow: layer, image, writable, mounted, file, dir, topic, none;
	 * a|b: both. */
	const char *completes;
	const struct opt *opts; /* the last one has the name NULL */
	int min_operands;
	int max_operands;
	enum access access;
	bool prints; /* always prints, so it fails if standard output is closed */
	bool quick; /* uses no library except libc and libuuid: see late.c */
	int failed; /* exit status for "failed"; 0: the usual one */
	int unable; /* exit status for every failure, unless run.exit is set; 0: depends
		     * on the failure */
	int makes; /* the option that makes it create a missing store; 0: none */
	int writes; /* the option that makes it write; 0: none */
	bool runs; /* options end at the first operand, because a command follows */
	/* For a program of its own, not a command of ovlctl: its exit status. */
	int (*exit_status)(int rc, enum ovl_status status);
	/* Returns 0 or a negative number with run->err set. */
	int (*fn)(struct run *run);
};

struct given {
	int id;
	const char *value;
};

/* One call of a command. */
struct run {
	const struct cmd *const *all; /* the table of commands */
	const struct cmd *cmd;
	struct ovl_store *st;
	struct ovl_err *err;
	const char *value[MAX_OPTS]; /* value of cmd->opts[i]; "" if given without one */
	struct given *given; /* all values in the order given */
	size_t n_given;
	char **operand;
	int n_operands;
	/* Prints err, which is followed by the failure that the command returns. */
	void (*problem)(const struct run *run);
	const struct mount_words *words; /* for cmd_mount_helper */
	mode_t umask; /* the user's umask */
	uint64_t nofile; /* the user's soft limit of open files */
	bool quiet;
	bool verbose;
	int exit; /* the exit status, if the command sets its own */
};

/* True if the option was given; opt_value() has its value. */
bool opt_given(const struct run *run, int id);
const char *opt_value(const struct run *run, int id);
/* The next of an option's values in the order given; *at is 0 for the first. NULL: no
 * more. */
const char *opt_next(const struct run *run, int id, size_t *at);

/* The option's value as a number with an optional suffix K, M, G, T (1024); 0 if not
 * given. */
int opt_number(struct run *run, int id, uint64_t *out);

/* Each is in the file of its name; commands.c lists them. */
extern const struct cmd cmd_apply;
extern const struct cmd cmd_check;
extern const struct cmd cmd_commit;
extern const struct cmd cmd_create;
extern const struct cmd cmd_diff;
extern const struct cmd cmd_du;
extern const struct cmd cmd_export;
extern const struct cmd cmd_help;
extern const struct cmd cmd_import;
extern const struct cmd cmd_ls;
extern const struct cmd cmd_mount;
extern const struct cmd cmd_prune;
extern const struct cmd cmd_rm;
extern const struct cmd cmd_run;
extern const struct cmd cmd_show;
extern const struct cmd cmd_tag;
extern const struct cmd cmd_umount;
extern const struct cmd cmd_which;

/* mount_helper.c: the program mount.ovlctl, by whose name this one may be called. */
extern const struct cmd cmd_mount_helper;

/* Its options -o, sorted by whom they are for. */
struct mount_words {
	char *text; /* what the others point into */
	char *options; /* for the mount */
	const char *root;
	const char *driver;
	bool readonly;
	bool remount;
	bool nofail;
};

/* Fills it, and enters the namespace that is asked for; the caller frees text and
 * options. 0, or -1 with run->err. */
int mount_words(struct run *run, struct mount_words *w);

/* late.c: loads the shared libraries, before a command that is not quick. 0, or -1 with
 * err. */
int late_load(struct ovl_err *err);

/* complete.c: prints what may stand for the last of these words. */
int complete(const struct ovl_config *cfg, int argc, char **argv);

/* Global options. */
extern const struct opt global_opts[];

/* help.c */
void help_program(FILE *to, const struct cmd *const *commands);
void help_command(FILE *to, const struct cmd *cmd);

/* args.c: the parser. */

/* Finds a command in a NULL-terminated table; NULL if there is none. */
const struct cmd *cmd_find(const struct cmd *const *commands, const char *name);

/* What is before its name on the command line: "ovlctl ", or nothing. */
const char *cmd_program(const struct cmd *cmd);

/* The command that is probably meant, by what other programs call it or else by spelling;
 * NULL if none is. What removes is never suggested by spelling. */
const char *cmd_suggest(const struct cmd *const *commands, const char *word);

struct globals {
	struct ovl_config cfg;
	bool quiet;
	bool verbose;
	bool help;
	bool version;
	const char *command;
};

/* Global options, up to the command. 0, or -1 with err. */
int parse_globals(int *argc, char ***argv, struct globals *g, struct ovl_err *err);
/* A command's options and operands. 1: --help was given. */
int parse_command(int argc, char **argv, struct run *run, struct ovl_err *err);

/* util.c: a usage error, status OVL_USAGE; returns -1. */
int usage(struct ovl_err *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Another, status OVL_FAILED; returns -1. */
int failed(struct ovl_err *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Sets "cannot WHAT 'NAME': " with the name escaped, strerror(errnum), and OVL_FAILED.
 * Returns -errnum. */
int cannot(struct ovl_err *err, int errnum, const char *what, const char *name);

/* util.c: a file to read, "-" is standard input; below 0 with run->err. */
int open_input(struct run *run, const char *file);

/* util.c: the nearest of names (ends with NULL), NULL if none is near. */
const char *suggest(const char *word, const char *const *names);

/* progress.c: the progress line of a command, on a terminal. */
void progress_start(const char *command);
void progress_show(void *ctx, const struct ovl_progress *p);
void progress_clear(void);

/* util.c: the signal that ends the command. */
extern atomic_int stop_signal;
void signals_catch(void);
/* Dies of the signal that was caught, if any. */
void signals_die(void);

/* The width of the terminal fd in columns, as libsmartcols finds it; 80 if unknown. */
int terminal_width(int fd);

/* util.c: the directory of a layer; the caller's, NULL: out of memory. */
char *layer_path(const struct ovl_store *st, const struct ovl_layer *l);

/* "1.5G" as lsblk writes it. */
const char *human_size(uint64_t bytes, char out[16]);

/* Local time, in RFC 3339, or brief: to the minute. */
#define TIME_SIZE 64
const char *human_time(int64_t seconds, bool brief, char out[TIME_SIZE]);

#endif
