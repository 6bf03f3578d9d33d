/* SPDX-License-Identifier: MIT */
/*
 * screen.c - a guest run to its end, or for some seconds, and then its screen: as a picture, and as
 * text where it is text. Usage: screen PICTURE.png|.ppm SECONDS OPTION...
 *
 * OPTIONs are those of `ring1 run`. SECONDS 0: to its end. Used by screen.py, and by hand to look
 * at a guest while ring1 itself shows no screen.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/options.h"
#include "devices/pc.h"
#include "host/linux/loop.h"
#include "host/linux/machine.h"
#include "host/linux/screendump.h"

static void print_text(const struct vga *v)
{
    struct vga_text t;

    if (!vga_text(v, &t)) {
        puts("graphics");
        return;
    }
    printf("text %u by %u, cursor %u %u\n", t.columns, t.rows, t.cursor_column, t.cursor_row);
    for (unsigned row = 0; row < t.rows; row++) {
        putchar('|');
        for (unsigned column = 0; column < t.columns; column++) {
            uint8_t code = (uint8_t)vga_text_cell(v, column, row);
            putchar(code >= ' ' && code < 0x7f ? code : code ? '?' : ' ');
        }
        puts("|");
    }
}

/* Ends this process's guest as a user would, by a signal. */
static void end_after(unsigned seconds)
{
    pid_t parent = getpid();

    if (!seconds || fork() != 0)
        return;
    sleep(seconds);
    if (getppid() == parent)
        kill(parent, SIGTERM);
    _exit(0);
}

int main(int argc, char **argv)
{
    struct machine *m = zeroed_alloc(sizeof *m);
    struct error e = {.text = "screen PICTURE SECONDS OPTION..."};
    struct config cfg;

    if (argc < 4 || options_parse(&cfg, argc - 3, argv + 3, &e) != OPTIONS_RUN) {
        say("%s", e.text);
        return 1;
    }
    cfg.sandbox = SANDBOX_OFF; /* the picture is a file that is opened at the end */
    end_after((unsigned)atoi(argv[2]));
    if (machine_create(m, &cfg, &e)) {
        say("%s", e.text);
        return 1;
    }
    printf("status %d\n", loop_run(m));
    const struct vga *v = pc_vga(m->pc);
    if (!v || screendump(v, vm_now(&m->vm), argv[1],
                         strstr(argv[1], ".ppm") ? SCREENDUMP_PPM : SCREENDUMP_PNG, &e)) {
        say("%s", v ? e.text : "there is no graphics card");
        return 1;
    }
    print_text(v);
    machine_destroy(m);
    return 0;
}
