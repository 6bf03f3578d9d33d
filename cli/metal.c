/* SPDX-License-Identifier: MIT */
/*
 * metal.c - see metal.h: makes the boot medium, and starts it in an emulator of an x86-64 PC.
 *
 * How        The medium is what grub-mkrescue makes of a folder with the image (ring1-metal), the
 *            guest's files and a grub.cfg; QEMU takes image and modules without one.
 */
#define _GNU_SOURCE
#include "cli/metal.h"

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/bochs.h"
#include "host/linux/error.h"
#include "include/ring1/types.h"

#define SERIALS 2u

/* What both subcommands are told. */
struct medium {
    const char *kernel, *initrd, *append, *output, *in, *memory, *exec, *user, *guest_kernel;
    const char *cdrom, *serial; /* serial: as given last */
    const char *port[SERIALS];  /* NULL: not given */
    unsigned ports;
    bool no_reboot;
};

static const struct option_row {
    const char *name;
    size_t at;
    const char *argument, *text;
} rows[] = {
    {"-kernel", offsetof(struct medium, kernel), "FILE", "the guest's kernel"},
    {"-initrd", offsetof(struct medium, initrd), "FILE", "its initial RAM disk"},
    {"-append", offsetof(struct medium, append), "TEXT", "its command line"},
    {"-m", offsetof(struct medium, memory), "SIZE", "its memory, as 256 or 256M"},
    {"-exec", offsetof(struct medium, exec), "MODE", "translate (the default) or interpret"},
    {"--user=", offsetof(struct medium, user), "MODE",
     "its programs: direct (the default) or translate"},
    {"--kernel=", offsetof(struct medium, guest_kernel), "MODE",
     "its kernel: translate (the default) or direct"},
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
            "       ring1 metal run -kernel FILE [OPTION]... [-no-reboot]\n"
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
        if (add_port(m))
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

/* Words of the monitor's own command line. */
static void image_words(const struct medium *m, char *out, size_t size)
{
    const char *memory = m->memory ? m->memory : "128M";
    bool bare = memory[0] && strspn(memory, "0123456789") == strlen(memory); /* MiB, as in -m 256 */

    snprintf(out, size, "memory=%s%s exec=%s user=%s kernel=%s reboot=%s", memory, bare ? "M" : "",
             m->exec ? m->exec : "translate", m->user ? m->user : "direct",
             m->guest_kernel ? m->guest_kernel : "translate", m->no_reboot ? "off" : "on");
}

/* ---- programs ---- */

/* Runs it and waits. quiet: its output goes nowhere. Returns its status; 127: it is not there. */
static int spawn(char *const *argv, bool quiet)
{
    int status;
    pid_t child = fork();

    if (child < 0)
        return 126;
    if (child == 0) {
        if (quiet && (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr)))
            _exit(126);
        execvp(argv[0], argv);
        _exit(errno == ENOENT ? 127 : 126);
    }
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return 126;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *at)
{
    (void)st, (void)flag, (void)at;
    return remove(path);
}

static int copy_to(const char *from, const char *dir, const char *name)
{
    char to[PATH_MAX], bytes[1 << 16];
    size_t n;

    snprintf(to, sizeof to, "%s/boot/%s", dir, name);
    FILE *in = fopen(from, "rb"), *out = in ? fopen(to, "wb") : NULL;
    bool ok = out;
    while (ok && (n = fread(bytes, 1, sizeof bytes, in)) > 0)
        ok = fwrite(bytes, 1, n, out) == n;
    ok = ok && !ferror(in);
    if (out)
        ok = fclose(out) == 0 && ok;
    if (in)
        fclose(in);
    if (!ok)
        say("cannot copy '%s' to the medium: %s", from, strerror(errno));
    return ok ? 0 : -1;
}

/* GRUB reads ' as the end of a word, and nothing within. */
static void put_quoted(FILE *f, const char *text)
{
    fputc('\'', f);
    for (; *text; text++)
        if (*text == '\'')
            fputs("'\\''", f);
        else
            fputc(*text, f);
    fputc('\'', f);
}

static int write_grub(const struct medium *m, const char *dir)
{
    char path[PATH_MAX], words[256];

    snprintf(path, sizeof path, "%s/boot/grub/grub.cfg", dir);
    FILE *f = fopen(path, "w");
    if (!f) {
        say("cannot write '%s': %s", path, strerror(errno));
        return -1;
    }
    image_words(m, words, sizeof words);
    /* As they are: of several compressed archives in one file, GRUB would read the first. */
    fprintf(f,
            "set timeout=0\nmenuentry ring1 {\n multiboot2 /boot/ring1-metal %s\n"
            " module2 --nounzip /boot/kernel kernel ",
            words);
    put_quoted(f, m->append ? m->append : "");
    fprintf(f, "\n%s}\n", m->initrd ? " module2 --nounzip /boot/initrd initrd\n" : "");
    return fclose(f) == 0 ? 0 : -1;
}

static int make_folders(char *dir)
{
    static const char *const names[] = {"boot", "boot/grub"};
    char path[PATH_MAX];

    if (!mkdtemp(dir)) {
        say("cannot make a folder for the medium's files: %s", strerror(errno));
        return -1;
    }
    for (unsigned n = 0; n < ARRAY_LEN(names); n++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[n]);
        if (mkdir(path, 0755)) {
            say("cannot make '%s': %s", path, strerror(errno));
            return -1;
        }
    }
    return 0;
}

static int make_iso(const struct medium *m, const char *image, const char *output)
{
    char dir[] = "/tmp/ring1-iso-XXXXXX";
    char *argv[] = {"grub-mkrescue", "-o", (char *)output, dir, NULL};
    int bad = make_folders(dir) || copy_to(image, dir, "ring1-metal") ||
              copy_to(m->kernel, dir, "kernel") ||
              (m->initrd && copy_to(m->initrd, dir, "initrd")) || write_grub(m, dir);

    if (!bad) {
        int status = spawn(argv, true);
        bad = status != 0;
        if (status == 127)
            say("grub-mkrescue is not installed: Debian's packages grub-common, grub-pc-bin, "
                "xorriso "
                "and mtools have it and what it needs");
        else if (bad)
            say("grub-mkrescue could not make '%s' (status %d); it needs Debian's packages "
                "grub-pc-bin, xorriso and mtools, and room on the disk",
                output, status);
    }
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return bad ? 1 : 0;
}

/* ---- running it ---- */

/* QEMU's -initrd for the image's modules. */
static void module_list(const struct medium *m, char *p, size_t size)
{
    const char *texts[] = {m->kernel, m->append ? " " : "", m->append ? m->append : ""};
    char *end = p + size;

    for (unsigned n = 0; n < ARRAY_LEN(texts); n++) /* QEMU reads ,, as a comma within a module */
        for (const char *s = texts[n]; *s && p < end - 2; s++) {
            *p++ = *s;
            if (*s == ',')
                *p++ = ',';
        }
    snprintf(p, (size_t)(end - p), "%s%s", m->initrd ? "," : "", m->initrd ? m->initrd : "");
}

static int run_qemu(const struct medium *m, const char *image)
{
    char words[256], modules[2 * PATH_MAX + 4096];
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
        image_words(m, words, sizeof words);
        module_list(m, modules, sizeof modules);
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
    if (f && (m->cdrom || make_iso(m, image, iso) == 0)) {
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
                : check_file(m.kernel, "the kernel") ||
                      (m.initrd && check_file(m.initrd, "the initrd")) ||
                      find_image(image, sizeof image))
        return 1;
    if (iso && !m.output) {
        say("'ring1 metal iso' needs -o FILE, the medium to make");
        return 1;
    }
    if (iso)
        return make_iso(&m, image, m.output);
    if (!m.in || strcmp(m.in, "qemu") == 0)
        return run_qemu(&m, image);
    if (strcmp(m.in, "bochs") == 0)
        return run_bochs(&m, image);
    say("--in wants qemu or bochs, not '%s'", m.in);
    return 1;
}
