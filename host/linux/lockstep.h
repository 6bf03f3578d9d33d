/* SPDX-License-Identifier: MIT */
/*
 * lockstep.h - memory for the shadow guest of -exec lockstep (monitor/run/lockstep.h): as much
 * again as the guest has.
 */
#ifndef RING1_HOST_LINUX_LOCKSTEP_H
#define RING1_HOST_LINUX_LOCKSTEP_H

#include "host/linux/error.h"

struct machine;

/* Sets m->lockstep and m->shadow, what lockstep_init() takes. To be called before the machine is
 * built from its parts (boot/build.h). Returns 0, or -1 with *e. */
int host_lockstep_create(struct machine *m, struct error *e);
/* Also of a machine that was not built, or only in part. */
void host_lockstep_destroy(struct machine *m);

#endif
