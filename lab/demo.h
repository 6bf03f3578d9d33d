/* SPDX-License-Identifier: MIT */
/*
 * demo.h - `ring1 holes demo`: what goes wrong for a kernel that is naively deprivileged, and that
 * the same kernel is right when it is translated.
 */
#ifndef RING1_LAB_DEMO_H
#define RING1_LAB_DEMO_H

#include <stdio.h>

/* Returns 0; 1: a translated kernel went wrong, or a naive one did not. */
int demo(FILE *f);

#endif
