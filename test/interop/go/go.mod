// Programs for the tests of EIPC; nobody imports them. The standard library is all they need (README.md).
module eipc-interop

go 1.19
