/* SPDX-License-Identifier: MIT */
/* boot_files.c - see boot_files.h. */
#include "host/linux/boot_files.h"

#include <stdlib.h>
#include <string.h>

static int open_filled(struct file *f, const char *what, const char *path, struct error *e)
{
    if (file_open(f, what, path, e))
        return -1;
    if (f->size)
        return 0;
    file_close(f);
    return error_set(e, "the %s '%s' is empty", what, path);
}

static struct boot_image image(const struct file *f, const char *name)
{
    return (struct boot_image){.bytes = f->data, .size = f->size, .name = name};
}

/* `text` is the string that a multiboot kernel sees. Modules may be empty: they can be messages by
 * their names alone. */
static int open_module(struct boot_files *b, const char *path, const char *text, struct error *e)
{
    struct file *f = &b->module[b->boot.module_count];

    if (file_open(f, "module", path, e))
        return -1;
    b->boot.module[b->boot.module_count++] = image(f, text);
    return 0;
}

static int open_initrd(struct boot_files *b, const char *path, struct error *e)
{
    if (open_filled(&b->module[0], "initrd", path, e))
        return -1;
    b->boot.module[0] = image(&b->module[0], path);
    b->boot.module_count = 1;
    return 0;
}

/* Splits -initrd's "FILE ARGS,FILE ARGS"; two commas stand for one comma in a name. */
static int open_modules(struct boot_files *b, const char *list, struct error *e)
{
    char *in, *out, *start;

    b->list = malloc(2 * (strlen(list) + 1));
    if (!b->list)
        return error_set(e, "out of memory");
    char *names = b->list + strlen(list) + 1;
    memcpy(b->list, list, strlen(list) + 1);
    in = out = start = b->list;
    for (bool more = true; more; start = out) {
        while (*in && !(in[0] == ',' && in[1] != ',')) {
            if (*in == ',')
                in++;
            *out++ = *in++;
        }
        more = *in == ',';
        in++; /* the comma; not read again after the final NUL */
        *out++ = 0;
        if (b->boot.module_count == BOOT_MODULES)
            return error_set(e, "-initrd names more than %u modules", BOOT_MODULES);
        size_t len = strcspn(start, " ");
        memcpy(names, start, len);
        names[len] = 0;
        if (open_module(b, names, start, e))
            return -1;
        names += len + 1;
    }
    return 0;
}

int boot_open(struct boot_files *b, const char *kernel, const char *initrd, const char *append,
              struct error *e)
{
    struct boot_error why;
    int err = 0;

    *b = (struct boot_files){.boot.cmdline = append ? append : ""};
    if (open_filled(&b->kernel, "kernel", kernel, e))
        return -1;
    b->boot.kernel = image(&b->kernel, kernel);
    b->boot.kind = boot_recognise(&b->boot.kernel, &why);
    if (b->boot.kind == BOOT_UNKNOWN)
        err = error_set(e, "%s", why.text);
    else if (initrd)
        err = b->boot.kind == BOOT_LINUX ? open_initrd(b, initrd, e) : open_modules(b, initrd, e);
    if (err)
        boot_close(b);
    return err;
}

void boot_close(struct boot_files *b)
{
    file_close(&b->kernel);
    for (unsigned i = 0; i < b->boot.module_count; i++)
        file_close(&b->module[i]);
    b->boot.module_count = 0;
    free(b->list);
    b->list = NULL;
}
