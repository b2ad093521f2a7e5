/* SPDX-License-Identifier: ISC */
/* Changes an image config according to Dockerfile instructions. */
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "image/config_change.h"
#include "image/image.h"
#include "image/instruction.h"

static int put(const struct instruction *c, const char *key, json_t *v)
{
	return instruction_took(c, json_object_set_new(c->run, key, v));
}

/* Sets key in the object called what, which is created if it does not exist. */
static int set_in(
	const struct instruction *c, const char *what, const char *key, json_t *v)
{
	return instruction_took(
		c, json_object_set_new(image_sub(c->run, what, JSON_OBJECT), key, v));
}

/* ---- what instructions do --------------------------------------------------------- */

static int set_env(struct instruction *c, const char *name, size_t n, const char *value)
{
	json_t *env = image_sub(c->run, "Env", JSON_ARRAY);
	json_t *new = json_sprintf("%.*s=%s", (int)n, name, value);
	size_t at;

	return instruction_took(c,
		instruction_env(env, name, n, &at) ? json_array_set_new(env, at, new) :
						     json_array_append_new(env, new));
}

static int set_label(struct instruction *c, const char *name, size_t n, const char *value)
{
	auto_free char *key = strndup(name, n);

	return key ? set_in(c, "Labels", key, json_string(value)) : err_nomem(c->err);
}

/* An exec form is used as it is; a shell form is run by the image's shell. */
static json_t *command(const struct instruction *c, const char *p)
{
	const json_t *shell = json_object_get(c->run, "Shell");
	json_t *o = instruction_array(p);

	if (o)
		return o;
	o = json_array_size(shell) ? json_deep_copy(shell) :
				     json_pack("[s,s]", "/bin/sh", "-c");
	if (json_array_append_new(o, json_string(p)) == 0)
		return o;
	json_decref(o);
	return NULL;
}

static int do_cmd(struct instruction *c, const char *p)
{
	c->cmd_set = true;
	return put(c, "Cmd", command(c, p));
}

/* An inherited command was meant as arguments of the previous entry point, so it is
 * dropped. */
static int do_entrypoint(struct instruction *c, const char *p)
{
	if (!c->cmd_set)
		json_object_del(c->run, "Cmd");
	return put(c, "Entrypoint", command(c, p));
}

/* Reads a port number, or either end of a range of them. */
static unsigned long port(const char *p, char **end)
{
	unsigned long n = isdigit((unsigned char)*p) ? strtoul(p, end, 10) : 0;

	return n > 65535 ? 0 : n;
}

static int add_ports(struct instruction *c, const char *w)
{
	char *end = NULL;
	unsigned long from = port(w, &end);
	unsigned long to = from && *end == '-' ? port(end + 1, &end) : from;
	char text[32];

	if (!from || to < from || (*end && *end != '/'))
		return instruction_bad(
			c, "expected a port, such as 80, 53/udp or 8000-8010");
	if (*end && strcmp(end, "/tcp") != 0 && strcmp(end, "/udp") != 0 &&
		strcmp(end, "/sctp") != 0)
		return instruction_bad(
			c, "the protocol of a port must be tcp, udp or sctp");
	for (; from <= to; from++) {
		snprintf(text, sizeof(text), "%lu%s", from, *end ? end : "/tcp");
		set_in(c, "ExposedPorts", text, json_object());
	}
	return 0;
}

static int add_volume(struct instruction *c, const char *w)
{
	if (!*w)
		return instruction_bad(c, "the name of a volume is empty");
	return set_in(c, "Volumes", w, json_object());
}

static int one_word(struct instruction *c, const char *p, struct buf *w)
{
	int rc = instruction_word(c, &p, false, w);

	return rc == 0 && (*instruction_skip(p) || !w->len) ?
		instruction_bad(c, "expected one word") :
		rc;
}

static int do_user(struct instruction *c, const char *p)
{
	auto_buf w = {0};
	int rc = one_word(c, p, &w);

	return rc < 0 ? rc : put(c, "User", json_string(w.data));
}

/* The path may contain spaces. A trailing slash is removed. */
static int do_workdir(struct instruction *c, const char *p)
{
	const char *was = json_string_value(json_object_get(c->run, "WorkingDir"));
	auto_buf path = {0};
	auto_buf w = {0};
	int rc = instruction_word(c, &p, true, &w);

	if (rc < 0)
		return rc;
	if (w.data[0] != '/')
		buf_addf(&path, "%s/", was && *was ? was : "");
	buf_adds(&path, w.data);
	while (path.len > 1 && path.data[path.len - 1] == '/')
		buf_cut(&path, path.len - 1);
	return path.failed ? err_nomem(c->err) :
			     put(c, "WorkingDir", json_string(path.data));
}

static bool is_signal(const char *s)
{
	char *end;
	long n = strtol(s, &end, 10);

	if (isdigit((unsigned char)*s))
		return !*end && n > 0 && n <= SIGRTMAX;
	s += strncasecmp(s, "SIG", 3) == 0 ? 3 : 0;
	for (int sig = 1; sig < NSIG; sig++) {
		const char *name = sigabbrev_np(sig);

		if (name && strcasecmp(name, s) == 0)
			return true;
	}
	return strncasecmp(s, "RTMIN", 5) == 0 || strncasecmp(s, "RTMAX", 5) == 0;
}

static int do_stopsignal(struct instruction *c, const char *p)
{
	auto_buf w = {0};
	int rc = one_word(c, p, &w);

	if (rc == 0 && !is_signal(w.data))
		rc = instruction_bad(c, "expected a signal, such as SIGTERM or 15");
	return rc < 0 ? rc : put(c, "StopSignal", json_string(w.data));
}

/* The trigger is not interpreted until another image is built on this one. */
static int do_onbuild(struct instruction *c, const char *p)
{
	static const char *const no[] = {"ONBUILD", "FROM", "MAINTAINER"};
	size_t n = strcspn(p, " \t");

	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
		if (n == strlen(no[i]) && strncasecmp(p, no[i], n) == 0)
			return instruction_bad(
				c, "this instruction cannot follow ONBUILD");
	}
	return instruction_took(c,
		json_array_append_new(
			image_sub(c->run, "OnBuild", JSON_ARRAY), json_string(p)));
}

/* Reads a duration in Go's notation, such as 1m30s or 500ms. Returns nanoseconds, or -1
 * if it is invalid. */
static json_int_t duration(const char *s)
{
	static const struct {
		const char *unit;
		double ns;
	} units[] = {{"ms", 1e6}, {"us", 1e3}, {"ns", 1}, {"h", 3600e9}, {"m", 60e9},
		{"s", 1e9}};
	double sum = *s ? 0 : -1;

	while (*s) {
		char *end;
		double n = isdigit((unsigned char)*s) ? strtod(s, &end) : -1;
		size_t i = 0;

		if (n < 0)
			return -1;
		while (i < 6 && !(s = text_after(end, units[i].unit)))
			i++;
		if (i == 6)
			return -1;
		sum += n * units[i].ns;
	}
	return sum < 1e6 || sum > 9e18 ? -1 : (json_int_t)sum;
}

static int health_option(struct instruction *c, json_t *check, const char *w)
{
	static const struct {
		const char *option;
		const char *key;
	} options[] = {{"--interval=", "Interval"}, {"--timeout=", "Timeout"},
		{"--start-period=", "StartPeriod"},
		{"--start-interval=", "StartInterval"}, {"--retries=", "Retries"}};
	const char *value = NULL;
	json_int_t n = -1;
	size_t i = 0;

	while (i < 5 && !(value = text_after(w, options[i].option)))
		i++;
	if (i == 5)
		return instruction_bad(c,
			"options are --interval, --timeout, --start-period, "
			"--start-interval, --retries");
	if (i < 4)
		n = duration(value);
	else if (*value && strlen(value) < 9 && !value[strspn(value, "0123456789")])
		n = atol(value);
	if (n < 0)
		return instruction_bad(c,
			i < 4 ? "expected a duration, such as 1m30s" :
				"expected a number");
	return instruction_took(
		c, json_object_set_new(check, options[i].key, json_integer(n)));
}

static int health(struct instruction *c, json_t *check, const char *p)
{
	auto_buf w = {0};
	json_t *test;
	int rc = 0;

	for (; rc == 0 && strncmp(p, "--", 2) == 0; p = instruction_skip(p)) {
		rc = instruction_word(c, &p, false, &w);
		if (rc == 0)
			rc = health_option(c, check, w.data);
	}
	if (rc < 0)
		return rc;
	if (strcasecmp(p, "NONE") == 0)
		return instruction_took(
			c, json_object_set_new(check, "Test", json_pack("[s]", "NONE")));
	if (strncasecmp(p, "CMD", 3) != 0 || p[3] == *instruction_skip(p + 3) ||
		!*instruction_skip(p + 3))
		return instruction_bad(c, "expected CMD COMMAND or NONE");
	test = instruction_array(instruction_skip(p + 3));
	if (test && !json_array_size(test)) {
		json_decref(test);
		return instruction_bad(c, "expected CMD COMMAND or NONE");
	}
	if (test)
		json_array_insert_new(test, 0, json_string("CMD"));
	else
		test = json_pack("[s,s]", "CMD-SHELL", instruction_skip(p + 3));
	return instruction_took(c, json_object_set_new(check, "Test", test));
}

static int do_healthcheck(struct instruction *c, const char *p)
{
	auto_json check = json_object();
	int rc = check ? health(c, check, p) : err_nomem(c->err);

	return rc < 0 ? rc : put(c, "Healthcheck", json_incref(check));
}

/* ----------------------------------------------------------------------------------- */

/* The function for the whole argument, or for each of its pairs or words. */
static const struct {
	const char *name;
	int (*all)(struct instruction *c, const char *arg);
	int (*pair)(struct instruction *c, const char *name, size_t n, const char *value);
	int (*each)(struct instruction *c, const char *word);
	bool arrays; /* the words may be a JSON array */
} instructions[] = {
	{"CMD", .all = do_cmd},
	{"ENTRYPOINT", .all = do_entrypoint},
	{"ENV", .pair = set_env},
	{"EXPOSE", .each = add_ports},
	{"HEALTHCHECK", .all = do_healthcheck},
	{"LABEL", .pair = set_label},
	{"ONBUILD", .all = do_onbuild},
	{"STOPSIGNAL", .all = do_stopsignal},
	{"USER", .all = do_user},
	{"VOLUME", .each = add_volume, .arrays = true},
	{"WORKDIR", .all = do_workdir},
};

static int instruct(struct instruction *c, size_t i, const char *arg)
{
	if (instructions[i].pair)
		return instruction_pairs(c, arg, instructions[i].pair);
	return instructions[i].each ?
		instruction_each(c, arg, instructions[i].arrays, instructions[i].each) :
		instructions[i].all(c, arg);
}

static int apply(struct instruction *c, const char *text)
{
	const size_t all = sizeof(instructions) / sizeof(instructions[0]);
	const char *p = instruction_skip(text);
	size_t n = strcspn(p, " \t\n");
	const char *arg = instruction_skip(p + n);
	auto_free char *trimmed = strdup(arg);
	size_t i = 0;
	int rc;

	c->text = text;
	if (!trimmed)
		return err_nomem(c->err);
	while (i < all &&
		(strlen(instructions[i].name) != n ||
			strncasecmp(instructions[i].name, p, n) != 0))
		i++;
	if (i == all)
		return instruction_bad(c,
			"unknown instruction; the instructions are CMD, ENTRYPOINT, ENV, "
			"EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME, "
			"WORKDIR");
	for (n = strlen(trimmed); n && isspace((unsigned char)trimmed[n - 1]); n--)
		trimmed[n - 1] = '\0';
	if (!*trimmed)
		return instruction_bad(c, "the instruction has no argument");
	c->env = json_copy(json_object_get(c->run, "Env"));
	rc = instruct(c, i, trimmed);
	json_decref(c->env);
	return rc;
}

static int set_texts(json_t *o, const struct ovl_commit *req, struct ovl_err *err)
{
	const char *const texts[][2] = {
		{"author", req->author}, {"comment", req->comment}};

	for (size_t i = 0; i < 2; i++) {
		if (texts[i][1] &&
			json_object_set_new(o, texts[i][0], json_string(texts[i][1])) < 0)
			return err_status(
				err, OVL_USAGE, "the %s is not valid UTF-8", texts[i][0]);
	}
	return 0;
}

static int change(
	json_t *config, const struct ovl_commit *req, bool check, struct ovl_err *err)
{
	struct instruction c = {.run = image_sub(config, "config", JSON_OBJECT),
		.check = check,
		.err = err};
	json_t *history = image_sub(config, "history", JSON_ARRAY);
	json_t *last = json_array_get(history, json_array_size(history) - 1);
	int rc;

	/* docker also keeps the commit's comment here; an inherited one belongs to the
	 * image below. */
	json_object_del(config, "comment");
	rc = set_texts(config, req, err);
	if (rc == 0)
		rc = set_texts(last, req, err);
	for (size_t i = 0; i < req->n_changes && rc == 0; i++)
		rc = apply(&c, req->changes[i]);
	return rc;
}

int image_change(json_t *config, const struct ovl_commit *req, struct ovl_err *err)
{
	return change(config, req, false, err);
}

int image_check_change(const struct ovl_commit *req, struct ovl_err *err)
{
	json_t *o = json_pack("{s:[{}]}", "history");
	int rc = o ? change(o, req, true, err) : err_nomem(err);

	json_decref(o);
	return rc;
}
