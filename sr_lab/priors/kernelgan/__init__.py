"""The blur under which an image resembles itself at half its size, learnt by a small GAN on that image alone.

`crops` draws what is compared, `generator` and `discriminator` are KernelGAN's networks and `regularisers` its
constraints, `critic` is KernelGAN-FKP's, `shaping` turns what was learnt into kernels of the asked scale and window;
`kernelgan` and `kernelgan_fkp` put them together as kernel priors on the ground of `cross_scale`.
"""
