"""What generated kernels call: Numba functions compiled once and shared.

    vecmath   elementary functions that LLVM vectorises
    traced    how they are written: straight-line Python, traced into LLVM code
    team      the barrier of a team of threads, the control of loops, sums that may be re-associated
    pool      the threads of teams: entering a kernel from several of them
    pace      how many of them a running loop is given
    blas      matrix products with alpha and beta
    tiles     the same for small and middling sizes (microkernels: its code)
    indirect  products whose rows lie where tables say: convolutions
    pooling   the greatest of a window's cells; depthwise convolutions
    dense     inverse, solve, cholesky, determinants
    philox    TensorFlow's random streams (philox_numpy: the same without Numba)
    integer   division, remainder and powers where Python, Numba and NumPy differ
    symbols   where the foreign functions behind blas and team come from
    twins     all of these as plain Python

and what kernels for CUDA call, in files of their own that nothing above imports:

    device    where they run, how many lanes a block has
    device_math  functions of numbers
    device_team  the barrier of a grid, what lanes of a block combine
    device_tiles  matrix products
    device_windows  convolutions, poolings
    device_draws, device_rows, device_dense  philox, rows and dense by lanes and blocks

Nothing is imported here: a kernel imports the modules that it names, and only those cost start-up time.

Generated source runs three ways.  Compiled: as it stands.  As plain Python in this process: with the names of
`twins.python_namespace()` in place of those that it imported.  With NUMBA_DISABLE_JIT=1: every module here then exports
its plain twins under the same names, so the source again runs as it stands.  Plain runs belong inside
`np.errstate(all="ignore")`: NumPy's scalars warn where compiled arithmetic is silent.
"""
