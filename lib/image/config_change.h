/*
 * Instructions of a Dockerfile that change an image's config and no file, as the options
 * of commit take them: CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD,
 * STOPSIGNAL, USER, VOLUME, WORKDIR. Quotes, backslashes and variables are read as docker
 * does (docs.docker.com/reference/dockerfile), the result is written as OCI image-spec,
 * config.md has it, with docker's Healthcheck and OnBuild.
 */
#ifndef OVL_CONFIG_CHANGE_H
#define OVL_CONFIG_CHANGE_H

#include <jansson.h>

#include "base/err.h"
#include "ovl.h"

/* Checks everything in the request that concerns the config. OVL_USAGE if it is not
 * valid. */
int image_check_change(const struct ovl_commit *req, struct ovl_err *err);

/* Applies the request to the config; its last history entry gets author and comment. */
int image_change(json_t *config, const struct ovl_commit *req, struct ovl_err *err);

#endif
