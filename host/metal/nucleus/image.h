/* SPDX-License-Identifier: MIT */
/* image.h - labels of the linker script (image.ld), not variables: their addresses say where the
 * image and its kinds of memory begin and end. */
#ifndef RING1_HOST_METAL_IMAGE_H
#define RING1_HOST_METAL_IMAGE_H

#include "include/ring1/types.h"

extern const uint8_t image_start[], image_text_end[], image_rodata_end[], image_data_end[],
    image_end[];

#endif
