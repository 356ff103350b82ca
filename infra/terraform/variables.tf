variable "name" {
  description = "Prefix of everything that is made; also the cluster_name of cluster/aws.yaml."
  type        = string
  default     = "medpipe"
}

variable "region" {
  description = "AWS region of everything."
  type        = string
}

variable "bucket_name" {
  description = "Globally unique name of the bucket for datasets, checkpoints and run state."
  type        = string
}

variable "zones" {
  description = "Availability zones that workers may come from; more zones, more spot capacity."
  type        = list(string)

  validation {
    condition     = length(var.zones) >= 2 && length(var.zones) <= 4
    error_message = "Name two to four zones."
  }
}

variable "cidr" {
  description = "Private address range of the network, a /16."
  type        = string
  default     = "10.42.0.0/16"
}

variable "budget_usd" {
  description = "Dollars a month of this account at which an alarm mail is sent (also at 80 %, and when the forecast passes it)."
  type        = number
}

variable "alarm_email" {
  description = "Who is told of the budget and of dead letters."
  type        = string
}

variable "oidc_provider_arn" {
  description = "OIDC provider of an EKS cluster whose pods (KubeRay) use the bucket and the queue; null: none."
  type        = string
  default     = null
}

variable "kubernetes_namespace" {
  description = "Namespace of cluster/kuberay's service account."
  type        = string
  default     = "medpipe"
}

variable "training_prefix" {
  description = "Where trainers may write below the bucket: the part of `medpipe train --out` after the bucket."
  type        = string
  default     = "training"
}
