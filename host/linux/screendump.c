/* SPDX-License-Identifier: MIT */
/* screendump.c - see screendump.h. */
#include "host/linux/screendump.h"

#include <errno.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The picture as bytes: red, green, blue. */
struct picture {
    unsigned width, height;
    uint8_t *rgb;
};

static int take(const struct vga *v, ns_t now, struct picture *p)
{
    vga_size(v, &p->width, &p->height);

    size_t count = (size_t)p->width * p->height;
    uint32_t *pixel = malloc(count * sizeof *pixel);
    p->rgb = malloc(count * 3);
    if (!pixel || !p->rgb) {
        free(pixel);
        return -1;
    }
    vga_render(v, now, &(struct surface){pixel, p->width, p->height, p->width});
    for (size_t i = 0; i < count; i++)
        for (unsigned part = 0; part < 3; part++)
            p->rgb[3 * i + part] = (uint8_t)(pixel[i] >> (16 - 8 * part));
    free(pixel);
    return 0;
}

static int write_ppm(const struct picture *p, FILE *f)
{
    size_t size = (size_t)p->width * p->height * 3;

    return fprintf(f, "P6\n%u %u\n255\n", p->width, p->height) > 0 &&
                   fwrite(p->rgb, 1, size, f) == size
               ? 0
               : -1;
}

static int write_png(const struct picture *p, FILE *f)
{
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = p->width,
                       .height = p->height,
                       .format = PNG_FORMAT_RGB};

    return png_image_write_to_stdio(&image, f, 0, p->rgb, 0, NULL) ? 0 : -1;
}

int screendump(const struct vga *v, ns_t now, const char *path, enum screendump_format format,
               struct error *e)
{
    struct picture p = {0};
    int failed;

    if (take(v, now, &p)) {
        free(p.rgb);
        return error_set(e, "the host has not enough memory for a picture of %u by %u pixels",
                         p.width, p.height);
    }
    FILE *f = fopen(path, "we");
    if (!f) {
        free(p.rgb);
        return error_set(e, "cannot write '%s': %s", path, strerror(errno));
    }
    errno = 0;
    failed = format == SCREENDUMP_PNG ? write_png(&p, f) : write_ppm(&p, f);
    if (fclose(f))
        failed = -1;
    free(p.rgb);
    return failed ? error_set(e, "cannot write '%s': %s", path,
                              errno ? strerror(errno) : "the picture cannot be encoded")
                  : 0;
}
