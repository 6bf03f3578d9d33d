/* SPDX-License-Identifier: MIT */
/* help.h - everything that is printed from include/ring1/option.def and the subcommand table. */
#ifndef RING1_CLI_HELP_H
#define RING1_CLI_HELP_H

#include <stdio.h>

void help_run(FILE *f);      /* ring1 run --help */
void help_mdoc(FILE *f);     /* the option list of docs/ring1.1 */
void help_cpus(FILE *f);     /* -cpu help */
void help_stages(FILE *f);   /* -d help */
void help_devices(FILE *f);  /* -device help */
void help_machines(FILE *f); /* -machine help */
void help_knobs(FILE *f);    /* -bt help */
void completion_bash(FILE *f);
void completion_zsh(FILE *f);

#endif
