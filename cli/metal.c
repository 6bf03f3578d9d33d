/* SPDX-License-Identifier: MIT */
/*
 * metal.c - see metal.h: reads the options, and starts a medium in an emulator of an x86-64 PC.
 * QEMU takes image and modules without one.
 */
#define _GNU_SOURCE
#include "cli/metal.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/bochs.h"
#include "cli/medium.h"
#include "host/linux/error.h"
#include "include/ring1/types.h"

static const struct option_row {
    const char *name;
    size_t at;
    const char *argument, *text;
} rows[] = {
    {"-kernel", offsetof(struct medium, kernel), "FILE",
     "the guest's kernel; given again: of a guest that runs after the one before"},
    {"-initrd", offsetof(struct medium, initrd), "FILE", "its initial RAM disk"},
    {"-append", offsetof(struct medium, append), "TEXT", "its command line"},
    {"-m", offsetof(struct medium, memory), "SIZE", "its memory, as 256 or 256M"},
    {"-cpu", offsetof(struct medium, cpu), "MODEL", "its CPU model, as of 'ring1 run'"},
    {"-exec", offsetof(struct medium, exec), "MODE", "translate (the default) or interpret"},
    {"--user=", offsetof(struct medium, user), "MODE",
     "its programs: direct (the default) or translate"},
    {"--kernel=", offsetof(struct medium, guest_kernel), "MODE",
     "its kernel: translate (the default) or direct"},
    {"--limit=", offsetof(struct medium, limit), "SECS", "no guest runs longer"},
    {"-o", offsetof(struct medium, output), "FILE", "iso: the medium to make"},
    {"--in", offsetof(struct medium, in), "NAME", "run: qemu (the default) or bochs"},
    {"-cdrom", offsetof(struct medium, cdrom), "FILE",
     "run: a medium made before, without -kernel"},
    {"-serial", offsetof(struct medium, serial), "PORT",
     "run: where COM1, then COM2 go: mon:stdio, stdio or file:PATH"},
};

static int usage(FILE *f)
{
    fprintf(f,
            "usage: ring1 metal iso -kernel FILE [OPTION]... -o FILE.iso\n"
            "       ring1 metal run -kernel FILE [OPTION]... [-no-reboot] [-debugcon]\n"
            "       ring1 metal run -cdrom FILE.iso [OPTION]...\n\n"
            "iso makes a medium that boots ring1 on a PC of its own, with the guest in it; run\n"
            "starts the same in QEMU or Bochs, with the guest's serial port on this terminal.\n\n");
    for (unsigned n = 0; n < ARRAY_LEN(rows); n++)
        fprintf(f, "  %-9s %-5s  %s\n", rows[n].name, rows[n].argument, rows[n].text);
    return f == stdout ? 0 : 1;
}

/* A name that ends in = is followed by its value. */
static bool names(const struct option_row *row, const char *arg)
{
    size_t len = strlen(row->name);

    return row->name[len - 1] == '=' ? strncmp(row->name, arg, len) == 0
                                     : strcmp(row->name, arg) == 0;
}

/* Remembers a -kernel that was just read. */
static int add_kernel(struct medium *m)
{
    if (!m->kernel || (m->guests && m->kernels[m->guests - 1] == m->kernel))
        return 0;
    if (m->guests == GUESTS) {
        say("the image takes %u guests at most", GUESTS);
        return -1;
    }
    m->kernels[m->guests++] = m->kernel;
    return 0;
}

/* Remembers a -serial that was just read. */
static int add_port(struct medium *m)
{
    if (!m->serial)
        return 0;
    if (m->ports == SERIALS) {
        say("the machine has two serial ports: -serial is given twice at most");
        return -1;
    }
    if (strcmp(m->serial, "stdio") && strcmp(m->serial, "mon:stdio") &&
        strncmp(m->serial, "file:", 5)) {
        say("-serial wants stdio, mon:stdio or file:PATH, not '%s'", m->serial);
        return -1;
    }
    m->port[m->ports++] = m->serial;
    m->serial = NULL;
    return 0;
}

static int read_options(struct medium *m, int count, char **args)
{
    for (int i = 0; i < count; i++) {
        unsigned n = 0;
        if (strcmp(args[i], "-no-reboot") == 0) {
            m->no_reboot = true;
            continue;
        }
        if (strcmp(args[i], "-debugcon") == 0) {
            m->debugcon = true;
            continue;
        }
        while (n < ARRAY_LEN(rows) && !names(&rows[n], args[i]))
            n++;
        if (n == ARRAY_LEN(rows)) {
            say("unknown option '%s' of 'ring1 metal'; 'ring1 metal --help' lists them", args[i]);
            return -1;
        }
        const char **value = (const char **)((char *)m + rows[n].at);
        size_t len = strlen(rows[n].name);
        if (rows[n].name[len - 1] == '=') {
            *value = args[i] + len;
            continue;
        }
        if (i + 1 == count) {
            say("option '%s' of 'ring1 metal' needs an argument: %s", args[i], rows[n].argument);
            return -1;
        }
        *value = args[++i];
        if (add_kernel(m) || add_port(m))
            return -1;
    }
    return 0;
}

/* ---- files ---- */

static int check_file(const char *path, const char *what)
{
    if (access(path, R_OK) == 0)
        return 0;
    say("cannot read %s '%s': %s", what, path, strerror(errno));
    return -1;
}

/* Beside the program in a build folder, or where it is installed. */
int metal_find_image(char *out, size_t size)
{
    static const char *const places[] = {"host/metal/ring1-metal", "../lib/ring1/ring1-metal",
                                         "../libexec/ring1/ring1-metal"};
    char self[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);

    if (len <= 0)
        len = 0;
    self[len] = 0;
    char *slash = strrchr(self, '/');
    if (slash)
        slash[1] = 0;
    for (unsigned n = 0; n < ARRAY_LEN(places); n++) {
        snprintf(out, size, "%s%s", self, places[n]);
        if (access(out, R_OK) == 0)
            return 0;
    }
    return -1;
}

static int find_image(char *out, size_t size)
{
    if (metal_find_image(out, size) == 0)
        return 0;
    say("the image ring1-metal is not there: build it with 'tools/zydis-source build/zydis' and "
        "'ninja -C build' (docs/metal.md)");
    return -1;
}

/* ---- running it ---- */

/* QEMU reads ,, as a comma within a module. Returns the end. */
static char *put_module(char *p, const char *end, const char *text)
{
    for (; *text && p < end - 2; text++) {
        *p++ = *text;
        if (*text == ',')
            *p++ = ',';
    }
    *p = 0;
    return p;
}

/* QEMU's -initrd for the image's modules; freed by the process's end. NULL: no memory. */
static char *module_list(const struct medium *m)
{
    const char *append = m->append ? m->append : "";
    size_t size = 2 * PATH_MAX;

    for (unsigned n = 0; n < m->guests; n++)
        size += 2 * (strlen(m->kernels[n]) + strlen(append)) + 4;
    char *list = malloc(size), *p = list, *end = list + size;
    for (unsigned n = 0; list && n < m->guests; n++) {
        p += n ? snprintf(p, 2, ",") : 0;
        p = put_module(p, end, m->kernels[n]);
        p += *append ? snprintf(p, 2, " ") : 0;
        p = put_module(p, end, append);
    }
    if (list && m->initrd)
        snprintf(p, (size_t)(end - p), ",%s", m->initrd);
    return list;
}

static int run_qemu(const struct medium *m, const char *image)
{
    char words[256], *modules;
    const char *argv[24 + 2 * SERIALS] = {
        "qemu-system-x86_64", "-accel", "tcg",       "-cpu", "max", "-m", "1536",
        "-display",           "none",   "-no-reboot"};
    unsigned n = 10;

    for (unsigned port = 0; port < SERIALS; port++) {
        const char *to = m->port[port] ? m->port[port] : port ? NULL : "mon:stdio";
        if (to)
            argv[n++] = "-serial", argv[n++] = to;
    }
    if (m->cdrom) {
        argv[n++] = "-boot", argv[n++] = "d", argv[n++] = "-cdrom", argv[n++] = m->cdrom;
    } else {
        medium_words(m, words, sizeof words);
        modules = module_list(m);
        if (!modules) {
            say("not enough memory for the names of the guests");
            return 1;
        }
        argv[n++] = "-kernel", argv[n++] = image, argv[n++] = "-append", argv[n++] = words;
        argv[n++] = "-initrd", argv[n++] = modules;
    }
    execvp(argv[0], (char **)argv);
    say("cannot start qemu-system-x86_64: %s; Debian's package qemu-system-x86 has it",
        strerror(errno));
    return 1;
}

static void bochs_port(FILE *f, unsigned n, const char *to)
{
    fprintf(f, "com%u: enabled=1, mode=file, dev=", n + 1);
    if (strncmp(to, "file:", 5) == 0)
        fprintf(f, "%s\n", to + 5);
    else
        fprintf(f, "/dev/fd/%d\n", BOCHS_COM1);
}

static int run_bochs(const struct medium *m, const char *image)
{
    char iso[] = "/tmp/ring1-bochs-XXXXXX", rc[PATH_MAX];
    int fd = mkstemp(iso), status = 1;

    if (fd < 0) {
        say("cannot make a file for the medium: %s", strerror(errno));
        return 1;
    }
    close(fd);
    snprintf(rc, sizeof rc, "%s.bochsrc", iso);
    FILE *f = fopen(rc, "w");
    if (f && (m->cdrom || medium_make(m, image, iso) == 0)) {
        fprintf(f,
                "megs: 1024\ncpu: model=core2_penryn_t9600, ips=100000000\nboot: cdrom\n"
                "ata0-master: type=cdrom, path=\"%s\", status=inserted\n"
                "display_library: term\n"
                "clock: sync=none\nlog: /dev/null\npanic: action=fatal\n",
                m->cdrom ? m->cdrom : iso);
        for (unsigned n = 0; n < SERIALS; n++)
            if (m->port[n] || n == 0)
                bochs_port(f, n, m->port[n] ? m->port[n] : "stdio");
        fclose(f);
        status = bochs_run(rc);
        if (status == 127)
            say("bochs is not installed: Debian's packages bochs, bochs-term, bochsbios and "
                "vgabios "
                "have it and what it needs");
    } else if (f) {
        fclose(f);
    }
    unlink(rc);
    unlink(iso);
    return status;
}

static int check_kernels(const struct medium *m)
{
    for (unsigned n = 0; n < m->guests; n++)
        if (check_file(m->kernels[n], "the kernel"))
            return -1;
    if (m->guests > 1 && m->initrd) {
        say("one guest among several takes no -initrd");
        return -1;
    }
    return 0;
}

int cmd_metal(int count, char **args)
{
    struct medium m = {0};
    char image[PATH_MAX + 64];
    bool iso = count && strcmp(args[0], "iso") == 0;

    if (count && (strcmp(args[0], "--help") == 0 || strcmp(args[0], "-h") == 0))
        return usage(stdout);
    if (!count || (!iso && strcmp(args[0], "run") != 0))
        return usage(stderr);
    if (read_options(&m, count - 1, args + 1))
        return 1;
    if (!m.kernel && (iso || !m.cdrom)) {
        say("'ring1 metal %s' needs -kernel FILE", args[0]);
        return 1;
    }
    if (m.kernel && m.cdrom) {
        say("the medium of -cdrom has its kernel: -kernel makes no sense beside it");
        return 1;
    }
    if (m.cdrom ? check_file(m.cdrom, "the medium")
                : check_kernels(&m) || (m.initrd && check_file(m.initrd, "the initrd")) ||
                      find_image(image, sizeof image))
        return 1;
    if (iso && !m.output) {
        say("'ring1 metal iso' needs -o FILE, the medium to make");
        return 1;
    }
    if (iso)
        return medium_make(&m, image, m.output);
    if (!m.in || strcmp(m.in, "qemu") == 0)
        return run_qemu(&m, image);
    if (strcmp(m.in, "bochs") == 0)
        return run_bochs(&m, image);
    say("--in wants qemu or bochs, not '%s'", m.in);
    return 1;
}
