// What a shared build of the libraries shows; everything else is hidden.
#pragma once

// Before the name of a class or function that another room, or a program, calls
// and that has code in a source file. Templates and inline code don't need it.
#define SYNCLINE_EXPORT [[gnu::visibility("default")]]
