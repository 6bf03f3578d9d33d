/* SPDX-License-Identifier: MIT */
/* medium.c - see medium.h. The medium is what grub-mkrescue makes of a folder with the image
 * (ring1-metal), the guest's files and a grub.cfg. */
#define _GNU_SOURCE
#include "cli/medium.h"

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/linux/error.h"
#include "include/ring1/types.h"

void medium_words(const struct medium *m, char *out, size_t size)
{
    const char *memory = m->memory ? m->memory : "128M";
    bool bare = memory[0] && strspn(memory, "0123456789") == strlen(memory); /* MiB, as in -m 256 */

    snprintf(out, size,
             "memory=%s%s exec=%s user=%s kernel=%s reboot=%s debugcon=%s guests=%s%s%s%s%s",
             memory, bare ? "M" : "", m->exec ? m->exec : "translate", m->user ? m->user : "direct",
             m->guest_kernel ? m->guest_kernel : "translate", m->no_reboot ? "off" : "on",
             m->debugcon ? "on" : "off", m->guests > 1 ? "each" : "one", m->cpu ? " cpu=" : "",
             m->cpu ? m->cpu : "", m->limit ? " limit=" : "", m->limit ? m->limit : "");
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

static int copy_kernels(const struct medium *m, const char *dir)
{
    char name[24];

    for (unsigned n = 0; n < m->guests; n++) {
        snprintf(name, sizeof name, "kernel%u", n);
        if (copy_to(m->kernels[n], dir, name))
            return -1;
    }
    return 0;
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

/* Each word by itself: GRUB would put quotes around one with a space, and hand them on. */
static void put_words(FILE *f, const char *text)
{
    char word[4096];

    for (size_t len; *text; text += len) {
        text += strspn(text, " ");
        len = strcspn(text, " ");
        if (!len)
            return;
        snprintf(word, sizeof word, "%.*s", (int)len, text);
        fputc(' ', f);
        put_quoted(f, word);
    }
}

/* The word before a module's arguments: the file's name, for reports. */
static void put_name(FILE *f, const char *path)
{
    char name[NAME_MAX + 1];
    const char *slash = strrchr(path, '/');

    snprintf(name, sizeof name, "%s", slash ? slash + 1 : path);
    for (char *p = name; *p; p++)
        if (*p == ' ')
            *p = '_';
    put_quoted(f, name);
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
    medium_words(m, words, sizeof words);
    /* As they are: of several compressed archives in one file, GRUB would read the first. */
    fprintf(f, "set timeout=0\nmenuentry ring1 {\n multiboot2 /boot/ring1-metal %s\n", words);
    for (unsigned n = 0; n < m->guests; n++) {
        fprintf(f, " module2 --nounzip /boot/kernel%u ", n);
        put_name(f, m->kernels[n]);
        put_words(f, m->append ? m->append : "");
        fputc('\n', f);
    }
    fprintf(f, "%s}\n", m->initrd ? " module2 --nounzip /boot/initrd initrd\n" : "");
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

int medium_make(const struct medium *m, const char *image, const char *output)
{
    char dir[] = "/tmp/ring1-iso-XXXXXX";
    char *argv[] = {"grub-mkrescue", "-o", (char *)output, dir, NULL};
    int bad = make_folders(dir) || copy_to(image, dir, "ring1-metal") || copy_kernels(m, dir) ||
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
