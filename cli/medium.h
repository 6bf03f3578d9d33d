/* SPDX-License-Identifier: MIT */
/* medium.h - what the image for a machine of our own is given, and the boot medium with it. */
#ifndef RING1_CLI_MEDIUM_H
#define RING1_CLI_MEDIUM_H

#include <stdbool.h>
#include <stddef.h>

#define SERIALS 2u
#define GUESTS  128u

/* What both subcommands are told. */
struct medium {
    const char *kernel, *initrd, *append, *output, *in, *memory, *exec, *user, *guest_kernel;
    const char *cdrom, *cpu, *limit, *serial; /* kernel, serial: as given last */
    const char *port[SERIALS];                /* NULL: not given */
    unsigned ports;
    const char *kernels[GUESTS];
    unsigned guests;
    bool no_reboot, debugcon;
};

/* Words of the monitor's own command line, as host/metal/config.c reads them. */
void medium_words(const struct medium *m, char *out, size_t size);
/* Makes the medium `output` that boots `image` with the guests of *m. Returns 0, or 1 after a
 * sentence. */
int medium_make(const struct medium *m, const char *image, const char *output);

#endif
