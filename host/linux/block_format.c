/* SPDX-License-Identifier: MIT */
/* block_format.c - which format an image has, by its first bytes; see block_priv.h. The names
 * are those of qemu-nbd. */
#include <string.h>

#include "host/linux/block_priv.h"

static const struct {
    const char *name;
    unsigned at, len; /* of the bytes that say so; 0: they say nothing, the user has to */
    const char *bytes;
} formats[] = {
    {"qcow2", 0, 8, "QFI\xfb\0\0\0\2"},
    {"qcow2", 0, 8, "QFI\xfb\0\0\0\3"},
    {"qcow", 0, 8, "QFI\xfb\0\0\0\1"},
    {"qed", 0, 4, "QED\0"},
    {"vmdk", 0, 4, "KDMV"},
    {"vmdk", 0, 4, "COWD"},
    {"vmdk", 0, 21, "# Disk DescriptorFile"},
    {"vdi", 0x40, 4, "\x7f\x10\xda\xbe"},
    {"vhdx", 0, 8, "vhdxfile"},
    {"vpc", 0, 8, "conectix"},
    {"parallels", 0, 16, "WithoutFreeSpace"},
    {"parallels", 0, 16, "WithouFreSpacExt"},
    {"bochs", 0, 22, "Bochs Virtual HD Image"},
    {"cloop", 0, 15, "#!/bin/sh\n#V2.0"},
    {"luks", 0, 6, "LUKS\xba\xbe"},
    {"dmg", 0, 0, ""},
};

const char *format_probe(const uint8_t *start, size_t len)
{
    for (unsigned n = 0; n < ARRAY_LEN(formats); n++)
        if (formats[n].len && formats[n].at + formats[n].len <= len &&
            !memcmp(start + formats[n].at, formats[n].bytes, formats[n].len))
            return formats[n].name;
    return "raw";
}

bool format_known(const char *name)
{
    for (unsigned n = 0; n < ARRAY_LEN(formats); n++)
        if (!strcmp(name, formats[n].name))
            return true;
    return !strcmp(name, "raw");
}
