/* The program's version: meson.project_version(), said in one place. */
#ifndef MK_VERSION_H
#define MK_VERSION_H

extern const char MK_VERSION[];

#endif
