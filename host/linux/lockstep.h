/* SPDX-License-Identifier: MIT */
/*
 * lockstep.h - memory for the shadow guest of -exec lockstep (monitor/run/lockstep.h): as much
 * again as the guest has.
 */
#ifndef RING1_HOST_LINUX_LOCKSTEP_H
#define RING1_HOST_LINUX_LOCKSTEP_H

#include "host/linux/error.h"

struct machine;

/* Makes m->lockstep. To be called after the translator was made and before the board, whose devices
 * go on m->lockstep's buses. Returns 0, or -1 with *e. */
int host_lockstep_create(struct machine *m, struct error *e);
void host_lockstep_destroy(struct machine *m);

#endif
