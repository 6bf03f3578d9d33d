/* SPDX-License-Identifier: MIT */
/* options_drive.c - the options about disks: where each drive is, what it is, and what is
 * refused. */
/* uses: cli/options.c cli/values_drive.c */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/options.h"

#define MAX_ARGS 24

static struct config cfg;
static struct error e;

/* Splits at '|' and parses, behind -kernel k. */
static enum options_result parse(const char *line)
{
    char *args[MAX_ARGS + 2] = {"-kernel", "k"}, *copy = strdup(line);
    int n = 2;

    e.text[0] = 0;
    for (char *s = strtok(copy, "|"); s; s = strtok(NULL, "|")) {
        cr_assert(n < MAX_ARGS);
        args[n++] = s;
    }
    return options_parse(&cfg, n, args, &e); /* cfg may point into the copy */
}

/* "0:disk:PATH 2:cd:" - the drives by their places; "!" read-only, "~" snapshot. */
static const char *places(void)
{
    static char text[2048];
    size_t n = 0;

    text[0] = 0;
    for (int at = DRIVE_DETACHED; at < (int)IDE_DRIVES; at++)
        for (unsigned i = 0; i < cfg.drive_count; i++)
            if (cfg.drive[i].at == at)
                n += (size_t)snprintf(text + n, sizeof text - n, "%s%d:%s:%s%s%s", n ? " " : "", at,
                                      cfg.drive[i].cdrom ? "cd" : "disk", cfg.drive[i].path,
                                      cfg.drive[i].read_only ? "!" : "",
                                      cfg.drive[i].snapshot ? "~" : "");
    return text;
}

Test(options_drive, places)
{
    static const struct {
        const char *line, *places;
    } rows[] = {
        {"", ""},
        {"-hda|a|-hdb|b|-hdc|c|-hdd|d", "0:disk:a 1:disk:b 2:disk:c 3:disk:d"},
        {"-hda|a,b=c", "0:disk:a,b=c"},
        {"-cdrom|x.iso", "2:cd:x.iso!"},
        {"-hda|a|-cdrom|x.iso|-hdb|b", "0:disk:a 1:disk:b 2:cd:x.iso!"},
        {"-drive|file=a|-drive|file=b", "0:disk:a 1:disk:b"},
        {"-drive|file=a,,b,,,,c,format=raw", "0:disk:a,b,,c"},
        {"-drive|file=a,index=3|-drive|file=b", "0:disk:b 3:disk:a"},
        {"-drive|file=a,bus=1,unit=1", "3:disk:a"},
        {"-drive|file=a,bus=1", "2:disk:a"},
        {"-drive|file=a,media=cdrom", "0:cd:a!"},
        {"-drive|media=cdrom,index=2", "2:cd:!"},
        {"-drive|file=a,readonly=on", "0:disk:a!"},
        {"-drive|file=a,readonly", "0:disk:a!"},
        {"-drive|file=a,snapshot=on|-hdb|b", "0:disk:a~ 1:disk:b"},
        {"-snapshot|-hda|a|-drive|file=b,snapshot=off", "0:disk:a~ 1:disk:b"},
        {"-hda|a|-snapshot", "0:disk:a~"},
        {"-drive|file=a,if=none,id=x", "-1:disk:a"},
        {"-drive|file=a,if=none,id=x|-device|ide-hd,drive=x", "0:disk:a"},
        {"-drive|file=a,if=none,id=x|-device|ide-hd,drive=x,bus=ide.1,unit=1", "3:disk:a"},
        {"-drive|file=a,if=none,id=x|-device|ide-cd,drive=x,bus=ide.1", "2:cd:a!"},
        {"-device|ide-cd", "0:cd:!"},
        {"-hda|a|-device|ide-cd,bus=ide.0,id=cd0", "0:disk:a 1:cd:!"},
        {"-blockdev|driver=raw,node-name=n,file.driver=file,file.filename=a|-device|ide-hd,drive=n",
         "0:disk:a"},
        {"-blockdev|driver=file,node-name=f,filename=a|-blockdev|driver=qcow2,node-name=n,file=f|"
         "-device|ide-hd,drive=n",
         "-1:disk:a 0:disk:a"},
        {"-blockdev|driver=raw,node-name=n,file.driver=file,file.filename=a,read-only=on|"
         "-device|ide-hd,drive=n",
         "0:disk:a!"},
    };

    for (unsigned n = 0; n < ARRAY_LEN(rows); n++) {
        cr_expect_eq(parse(rows[n].line), OPTIONS_RUN, "%s: %s", rows[n].line, e.text);
        cr_expect_str_eq(places(), rows[n].places, "%s", rows[n].line);
    }
}

Test(options_drive, what_is_refused)
{
    static const struct {
        const char *line, *says;
    } rows[] = {
        {"-drive|file=a,if=virtio", "no virtio drives yet"},
        {"-drive|file=a,if=floppy", "no floppy drives yet"},
        {"-drive|file=a,if=foo", "ide or none"},
        {"-drive|format=raw", "needs an image"},
        {"-drive|file=", "needs an image"},
        {"-drive|file=a,media=tape", "disk or cdrom"},
        {"-drive|file=a,index=4", "0 to 3"},
        {"-drive|file=a,index=-1", "0 to 3"},
        {"-drive|file=a,bus=2", "0 to 1"},
        {"-drive|file=a,unit=2", "0 to 1"},
        {"-drive|file=a,index=1,unit=1", "give one"},
        {"-hda|a|-drive|file=b,index=0", "already"},
        {"-hda|a|-hda|b", "already"},
        {"-hdc|a|-cdrom|b", "already"},
        {"-hda|a|-hdb|a|-hdc|a|-hdd|a|-drive|file=b", "no place is free"},
        {"-drive|file=a,readonly=maybe", "on or off"},
        {"-drive|file=a,snapshot=1", "on or off"},
        {"-drive|file=a,cache=warm", "writethrough"},
        {"-drive|file=a,format=raws", "qcow2"},
        {"-drive|file=a,format=qcow2,offset=512", "raw images"},
        {"-drive|file=a,offset=x", "number of bytes"},
        {"-drive|file=a,size=1Q", "number of bytes"},
        {"-drive|file=a,size=99999999999999999999", "number of bytes"},
        {"-drive|file=a,size=-1", "number of bytes"},
        {"-drive|file=a,discard=maybe", "unmap"},
        {"-drive|file=a,cyls=3", "unknown property 'cyls'"},
        {"-drive|file", "not given a value"},
        {"-drive|file=a,", "unknown property ''"},
        {"-drive|file=a,id=x|-drive|file=b,id=x", "another drive is called 'x'"},
        {"-drive|file=a,id=", "name of 1 to"},
        {"-device|ide-hd", "needs drive=ID"},
        {"-device|ide-hd,drive=x", "comes before it"},
        {"-drive|file=a,id=x|-device|ide-hd,drive=x", "belongs to another device"},
        {"-drive|file=a,if=none,id=x|-device|ide-hd,drive=x,bus=pci.0", "ide.0 or ide.1"},
        {"-drive|file=a,if=none,id=x|-device|ide-hd,drive=x,bus=ide.2", "0 to 1"},
        {"-drive|file=a,if=none,id=x|-device|ide-hd,drive=x,unit=9", "0 to 1"},
        {"-drive|file=a,if=none,id=x|-device|ide-hd,drive=x,foo=9", "'foo=9' is unknown"},
        {"-blockdev|driver=raw,node-name=n", "are needed"},
        {"-blockdev|driver=raw,file.driver=file,file.filename=a", "are needed"},
        {"-blockdev|node-name=n,file.filename=a", "are needed"},
        {"-blockdev|driver=raw,node-name=n,file=f", "no -blockdev before it"},
        {"-blockdev|driver=raw,node-name=n,file.driver=ssh,file.filename=a", "file.driver is file"},
        {"-blockdev|driver=nbd,node-name=n,file.filename=a", "raw, qcow2"},
        {"-blockdev|{\"driver\":\"raw\"}", "not JSON"},
    };

    for (unsigned n = 0; n < ARRAY_LEN(rows); n++) {
        cr_expect_eq(parse(rows[n].line), OPTIONS_ERROR, "%s", rows[n].line);
        cr_expect(strstr(e.text, rows[n].says), "%s: %s", rows[n].line, e.text);
    }
}

Test(options_drive, values)
{
    const struct drive_spec *s = cfg.drive;

    cr_assert_eq(parse("-drive|file=a,format=raw,offset=1M,size=0x10000,cache=none,discard=unmap,"
                       "id=x,aio=native"),
                 OPTIONS_RUN, "%s", e.text);
    cr_expect(s->offset == MIB && s->size == 65536 && s->cache == CACHE_NONE && s->discard);
    cr_expect(!strcmp(s->format, "raw") && !strcmp(s->id, "x"));
    cr_assert_eq(parse("-hda|a"), OPTIONS_RUN);
    cr_expect(!s->offset && !s->size && s->cache == CACHE_WRITEBACK && !s->discard && !*s->format);
    cr_assert_eq(parse("-drive|file=a,offset=3000000000000"), OPTIONS_RUN, "%s", e.text);
    cr_expect_eq(s->offset, 3000000000000);
    cr_assert_eq(parse("-blockdev|driver=vmdk,node-name=n,file.driver=file,file.filename=a,"
                       "cache.direct=on"),
                 OPTIONS_RUN, "%s", e.text);
    cr_expect(s->cache == CACHE_NONE && !strcmp(s->format, "vmdk"));
    char name[1200] = "-hda|";
    memset(name + 5, 'x', 1100);
    cr_expect_eq(parse(name), OPTIONS_ERROR);
}
