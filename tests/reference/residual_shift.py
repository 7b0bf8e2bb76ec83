"""One number's residual-shift chain by Bayes' rule, from the chain's own steps."""


def posterior(eta: float, before: float, kappa: float, z0: float, zy: float, z: float) -> tuple[float, float]:
    """Mean and variance of z_{t-1} given z_t = z: a Gaussian prior times the likelihood of the shift to z."""
    prior_mean, prior_variance = z0 + before * (zy - z0), kappa**2 * before
    shift, variance = (eta - before) * (zy - z0), kappa**2 * (eta - before)
    precision = 1 / prior_variance + 1 / variance
    return (prior_mean / prior_variance + (z - shift) / variance) / precision, 1 / precision
